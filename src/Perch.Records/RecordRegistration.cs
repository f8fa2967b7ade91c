using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Perch.Diagnostics;
using Perch.Records.Sqlite;

namespace Perch.Records;

/// <summary>Adds the protocol <c>record</c> and stores of records.</summary>
public static class RecordRegistration
{
    private const string Section = "Records";

    /// <summary>Adds the protocol <c>record</c>, the section <c>Perch:Records</c> and the store <c>Sqlite</c>.</summary>
    /// <param name="builder">The builder.</param>
    /// <returns>The builder.</returns>
    public static PerchBuilder AddRecords(this PerchBuilder builder)
    {
        builder.AddSection<RecordsOptions>(Section).AddProtocol<RecordHandler, RecordDatagrams, RecordOptions>("record");
        builder.AddStore(SqliteRecordStore.StoreName, CreateSqlite);
        builder.Services.AddSingleton<RecordMetrics>();
        builder.Services.AddSingleton(ChosenStore);
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

    /// <summary>Adds a store that <c>Perch:Records:Store</c> can name.</summary>
    /// <typeparam name="TStore">The store. Its constructor takes services, such as its options.</typeparam>
    /// <typeparam name="TOptions">Its options, read from <c>Perch:Records</c>: keys that they have are no faults while another store is used.</typeparam>
    /// <param name="builder">The builder.</param>
    /// <param name="name">The name, in any case.</param>
    /// <returns>The builder.</returns>
    internal static PerchBuilder AddRecordStore<TStore, TOptions>(this PerchBuilder builder, string name)
        where TStore : class, IRecordStore
        where TOptions : class, new() =>
        builder.AddSection<TOptions>(Section).AddStore(name, static services => ActivatorUtilities.CreateInstance<TStore>(services));

    private static PerchBuilder AddStore(this PerchBuilder builder, string name, Func<IServiceProvider, IRecordStore> create)
    {
        builder.AddChoice(Section, nameof(RecordsOptions.Store), name);
        builder.Services.AddSingleton(new RecordStoreRegistration(name, create));
        return builder;
    }

    private static IRecordStore ChosenStore(IServiceProvider services)
    {
        var chosen = services.GetRequiredService<RecordsOptions>().Store;
        return services.GetServices<RecordStoreRegistration>().Last(store => store.Name.Equals(chosen, StringComparison.OrdinalIgnoreCase)).Create(services);
    }

    private static SqliteRecordStore CreateSqlite(IServiceProvider services)
    {
        var options = services.GetRequiredService<RecordsOptions>();
        var path = Path.GetFullPath(options.Path, services.GetRequiredService<IHostEnvironment>().ContentRootPath);
        services.GetRequiredService<RecordMetrics>().ObserveDisk(path);
        return new(path, options, services.GetRequiredService<TimeProvider>(), services.GetRequiredService<ILogger<SqliteRecordStore>>());
    }
}
