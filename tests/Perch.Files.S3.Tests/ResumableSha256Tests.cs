using System.Security.Cryptography;
using System.Text;
using Perch.Tests.Shared;

namespace Perch.Files.S3.Tests;

public sealed class ResumableSha256Tests
{
    [Theory]
    // FIPS 180-2, appendix B, and the empty message.
    [InlineData("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    [InlineData("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
    [InlineData("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")]
    public void Hash_OfTheStandardsMessages_IsTheirs(string message, string hash)
    {
        var sha = new ResumableSha256();
        sha.Append(Encoding.ASCII.GetBytes(message));
        Assert.Equal(hash, sha.Hash());
    }

    [Fact]
    public void Hash_AtEveryLengthAndCut_IsTheFrameworks()
    {
        var random = new Random(1);
        var bytes = FileFolder.Bytes(1000);
        for (var length = 0; length <= bytes.Length; length++)
        {
            var sha = new ResumableSha256();
            for (var at = 0; at < length;)
            {
                var more = random.Next(1, Math.Min(length - at, 200) + 1);
                sha.Append(bytes.AsSpan(at, more));
                at += more;
            }

            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(bytes.AsSpan(0, length))), sha.Hash());
        }
    }

    [Fact]
    public void State_BetweenAnyTwoBlocks_IsGoneOnFrom()
    {
        var bytes = FileFolder.Bytes(10 * ResumableSha256.BlockBytes);
        var sha = new ResumableSha256();
        for (var at = 0; at < bytes.Length; at += ResumableSha256.BlockBytes)
        {
            var resumed = new ResumableSha256(sha.State(), at);
            resumed.Append(bytes.AsSpan(at));
            Assert.Equal(FileFolder.Hash(bytes), resumed.Hash());
            sha.Append(bytes.AsSpan(at, ResumableSha256.BlockBytes));
        }
    }

    [Fact]
    public void State_WithinABlock_IsRefused()
    {
        var sha = new ResumableSha256();
        sha.Append([1]);
        Assert.Throws<InvalidOperationException>(() => sha.State());
        Assert.Throws<ArgumentException>(() => new ResumableSha256(new byte[ResumableSha256.StateBytes], 1));
        Assert.Throws<ArgumentException>(() => new ResumableSha256(new byte[1], 0));
    }
}
