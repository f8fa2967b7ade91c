using System.Net;
using Perch.FunctionalTests.Files;

namespace Perch.FunctionalTests.Admin;

public sealed class RecordQueryTests
{
    /// <summary>PostgreSQL has no NUL in a text, and would answer as if it could not be read.</summary>
    [Theory]
    [InlineData("contains=%00")]
    [InlineData("contains=a%00b")]
    [InlineData("endpoint=%00")]
    public async Task Records_QueryWithNul_IsABadRequestOverEveryStore(string query)
    {
        await using var http = await FileHttp.StartAsync();
        Assert.Equal(HttpStatusCode.BadRequest, await http.StatusAsync(HttpMethod.Get, $"/records?{query}"));
    }
}
