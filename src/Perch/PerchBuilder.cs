using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Perch.Configuration;
using Perch.Endpoints;

namespace Perch;

/// <summary>Registers protocols; made by <see cref="PerchServiceCollectionExtensions.AddPerch"/>.</summary>
public sealed class PerchBuilder
{
    internal PerchBuilder(IServiceCollection services) => Services = services;

    /// <summary>The services that handlers are made from.</summary>
    public IServiceCollection Services { get; }

    /// <summary>
    /// Registers a protocol that endpoints can name. The handler is made once for each endpoint, in a scope of its own,
    /// with its services from DI and a <typeparamref name="TOptions"/> read from the endpoint's <c>Options</c>, which its
    /// constructor takes; the state of a connection does not belong in it.
    /// </summary>
    /// <typeparam name="THandler">A <c>MessageHandler</c>, <c>ConversationHandler</c>, <c>BlockingHandler</c> or any other <see cref="ConnectionHandler"/>.</typeparam>
    /// <typeparam name="TOptions">Its options: settable properties with their defaults, checked by data annotations.</typeparam>
    /// <param name="name">The protocol's name in the configuration, in any case.</param>
    public PerchBuilder AddProtocol<THandler, TOptions>(string name)
        where THandler : ConnectionHandler
        where TOptions : class, new() =>
        Add(name, typeof(THandler), typeof(TOptions), static services =>
            ActivatorUtilities.CreateInstance<THandler>(services, services.GetRequiredService<EndpointScope>().Endpoint.Options));

    /// <summary>Registers a protocol without options.</summary>
    /// <inheritdoc cref="AddProtocol{THandler, TOptions}"/>
    public PerchBuilder AddProtocol<THandler>(string name)
        where THandler : ConnectionHandler =>
        Add(name, typeof(THandler), typeof(NoOptions), static services => ActivatorUtilities.CreateInstance<THandler>(services));

    /// <summary>
    /// Registers a section under <c>Perch</c> that several protocols share. It is read and checked as strictly as the
    /// rest; the options are a singleton that is read at the start, so a change takes effect at the next one.
    /// </summary>
    /// <typeparam name="TOptions">Settable properties with their defaults, checked by data annotations.</typeparam>
    /// <param name="name">The key under <c>Perch</c>.</param>
    public PerchBuilder AddSection<TOptions>(string name)
        where TOptions : class, new()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        Services.AddSingleton(new SectionDescriptor(name, typeof(TOptions)));
        Services.AddSingleton(services => (TOptions)services.GetRequiredService<PerchConfigReader>().ReadSection(name));
        return this;
    }

    private PerchBuilder Add(string name, Type handler, Type options, Func<IServiceProvider, ConnectionHandler> create)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        Services.AddSingleton(new ProtocolDescriptor(name, handler, options));
        Services.AddKeyedScoped(name, (services, _) => create(services));
        return this;
    }
}
