using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Perch.Files;
using Perch.Files.S3;
using Perch.Tests.Shared;

namespace Perch.FunctionalTests.Files.S3;

/// <summary>What becomes of the answers that S3 gives when something is wrong.</summary>
public sealed class S3AnswerTests
{
    [Theory]
    [InlineData(412, "PreconditionFailed")]
    [InlineData(409, "ConditionalRequestConflict")]
    [InlineData(404, "NoSuchKey")]
    public async Task Put_ConditionThatDoesNotHold_IsNull(int status, string code)
    {
        await using var server = await AnswerServer.StartAsync(status, code);
        using var bucket = server.Bucket();
        Assert.Null(await bucket.PutAsync("a", new MemoryStream([1]), condition: S3Condition.Still("\"x\"")));
        Assert.Null(await bucket.PutAsync("a", new MemoryStream([1]), condition: S3Condition.New));
        await Assert.ThrowsAsync<FileStoreException>(() => bucket.PutAsync("a", new MemoryStream([1])));
    }

    [Fact]
    public async Task Put_ConditionThatIsNotKnown_IsNotSupported()
    {
        await using var server = await AnswerServer.StartAsync(501, "NotImplemented");
        using var bucket = server.Bucket();
        await Assert.ThrowsAsync<NotSupportedException>(() => bucket.PutAsync("a", new MemoryStream([1]), condition: S3Condition.New));
    }

    [Theory]
    [InlineData(403, "AccessDenied", "unavailable", "Look at the credentials")]
    [InlineData(403, "SignatureDoesNotMatch", "unavailable", "Look at the credentials")]
    [InlineData(404, "NoSuchBucket", "unavailable", "Make the bucket")]
    [InlineData(500, "InternalError", "unavailable", "500")]
    [InlineData(503, "SlowDown", "unavailable", "503")]
    [InlineData(507, "InsufficientStorage", "full", "507")]
    [InlineData(403, "QuotaExceeded", "full", "QuotaExceeded")]
    [InlineData(400, "EntityTooLarge", "quota", "400")]
    public async Task Put_Refusal_IsToldWithItsCure(int status, string code, string expected, string cure)
    {
        await using var server = await AnswerServer.StartAsync(status, code);
        using var bucket = server.Bucket();
        var failure = await Assert.ThrowsAsync<FileStoreException>(() => bucket.PutAsync("a", new MemoryStream([1])));
        Assert.Equal(expected, failure.Code);
        Assert.Contains(cure, failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("geheim", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\u009b', failure.Message);
        // What the peer is told says nothing of the bucket.
        Assert.DoesNotContain("bucket", failure.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PutPart_UploadThatIsGone_IsSuperseded()
    {
        await using var server = await AnswerServer.StartAsync(404, "NoSuchUpload");
        using var bucket = server.Bucket();
        Assert.Equal("superseded", (await Assert.ThrowsAsync<FileStoreException>(() => bucket.PutPartAsync("a", "id", 1, new MemoryStream([1])))).Code);
    }

    [Fact]
    public async Task Get_NothingThere_IsNullAndNoServerIsUnavailable()
    {
        var server = await AnswerServer.StartAsync(404, "NoSuchKey");
        using var bucket = server.Bucket();
        Assert.Null(await bucket.HeadAsync("a", default));
        Assert.Null(await bucket.GetAsync("a", 0, long.MaxValue, null, default));
        Assert.Null(await bucket.ListPartsAsync("a", "id", default));
        Assert.False(await bucket.CompleteMultipartAsync("a", "id", ["\"x\""]));
        await bucket.DeleteAsync("a");
        await bucket.AbortMultipartAsync("a", "id");
        await server.DisposeAsync();
        Assert.Equal("unavailable", (await Assert.ThrowsAsync<FileStoreException>(() => bucket.HeadAsync("a", default))).Code);
    }

    [Fact]
    public async Task Put_Refused_IsOneFailedSpanUnderItsCaller()
    {
        using var spans = new SpanRecorder(S3Tracing.SourceName);
        await using var server = await AnswerServer.StartAsync(403, "AccessDenied");
        using var bucket = server.Bucket();
        using var caller = new Activity("caller").Start();
        await Assert.ThrowsAsync<FileStoreException>(() => bucket.PutAsync("a", new MemoryStream([1])));

        var span = Assert.Single(spans.Ended, span => span.TraceId == caller.TraceId);
        Assert.Equal(("S3.PutObject", ActivityKind.Client, caller.SpanId), (span.DisplayName, span.Kind, span.ParentSpanId));
        Assert.Equal("AccessDenied", span.GetTagItem("error.type"));
        Assert.Equal(ActivityStatusCode.Error, span.Status);
        Assert.Equal("PutObject", span.GetTagItem("rpc.method"));
    }

    /// <summary>Gives one answer to all requests.</summary>
    private sealed class AnswerServer : IAsyncDisposable
    {
        private readonly WebApplication _app;

        private AnswerServer(WebApplication app) => _app = app;

        public static async Task<AnswerServer> StartAsync(int status, string code)
        {
            var builder = WebApplication.CreateEmptyBuilder(new());
            builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
            var app = builder.Build();
            app.Run(async context =>
            {
                await context.Request.Body.CopyToAsync(Stream.Null);
                context.Response.StatusCode = status;
                if (HttpMethods.IsHead(context.Request.Method)) return;
                context.Response.ContentType = "application/xml";
                await context.Response.WriteAsync($"<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>hostile \u009b text</Message></Error>");
            });
            await app.StartAsync();
            return new(app);
        }

        public S3Bucket Bucket() => new(
            S3Settings.CreateClient(new() { ServiceUrl = _app.Urls.First(), PathStyle = true, AccessKey = "a", SecretKey = "geheim", Retries = 0, Timeout = TimeSpan.FromSeconds(20) }),
            "bucket", "p/", TimeSpan.FromSeconds(20));

        public async ValueTask DisposeAsync() => await _app.DisposeAsync();
    }
}
