using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Perch.Diagnostics;
using Perch.Protocols.Record.Postgres;
using Perch.Protocols.Record.Sqlite;

namespace Perch.Protocols.Record;

/// <summary>Adds the protocol <c>record</c>, its store and what goes with them.</summary>
internal static class RecordRegistration
{
    public static PerchBuilder AddRecords(this PerchBuilder builder)
    {
        builder.AddSection<RecordsOptions>("Records").AddProtocol<RecordHandler, RecordDatagrams, RecordOptions>("record");
        builder.Services.AddSingleton<RecordMetrics>();
        builder.Services.AddSingleton(CreateStore);
        builder.Services.AddSingleton<RecordWriter>();
        builder.Services.AddHostedService(services =>
        {
            var writer = services.GetRequiredService<RecordWriter>();
            services.GetService<IMemoryBudget>()?.Add(() => writer.BytesHeld);
            return writer;
        });
        builder.Services.AddHealthChecks().AddCheck<RecordsHealthCheck>("records");
        return builder;
    }

    private static IRecordStore CreateStore(IServiceProvider services)
    {
        var (options, time) = (services.GetRequiredService<RecordsOptions>(), services.GetRequiredService<TimeProvider>());
        if (options.Store == RecordStoreKind.Postgres) return new PostgresRecordStore(options, time, services.GetRequiredService<ILogger<PostgresRecordStore>>());
        var path = Path.GetFullPath(options.Path, services.GetRequiredService<IHostEnvironment>().ContentRootPath);
        services.GetRequiredService<RecordMetrics>().ObserveDisk(path);
        return new SqliteRecordStore(path, options, time, services.GetRequiredService<ILogger<SqliteRecordStore>>());
    }
}
