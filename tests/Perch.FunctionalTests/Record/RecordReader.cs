using System.Net;
using System.Text.Json.Nodes;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Record;

/// <summary>Reads records back through the admin endpoint, page by page.</summary>
internal static class RecordReader
{
    /// <summary>Waits until there are so many, then reads them all.</summary>
    public static async Task<IReadOnlyList<string>> TextsAsync(PerchHost host, int count)
    {
        await Poll.UntilAsync(
            async () => (await host.Admin.GetMetricsAsync()).Sum("perch_records_stored_total") >= count, () => $"{count} records are stored: {host.Log}");
        return [.. (await AllAsync(host.Admin)).Select(record => record["data"]!.GetValue<string>())];
    }

    public static async Task<IReadOnlyList<JsonNode>> AllAsync(AdminClient admin, string query = "")
    {
        var records = new List<JsonNode>();
        while (true)
        {
            var after = records.Count == 0 ? 0 : records[^1]["id"]!.GetValue<long>();
            var page = await PageAsync(admin, $"after={after}&limit=5000{query}");
            if (page.Count == 0) return records;
            records.AddRange(page);
        }
    }

    public static async Task<IReadOnlyList<JsonNode>> PageAsync(AdminClient admin, string query)
    {
        var (status, body) = await admin.GetAsync($"/records?{query}");
        Assert.Equal(HttpStatusCode.OK, status);
        return [.. body.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];
    }
}
