using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Perch.Configuration;
using Perch.Datagrams;
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
    /// <typeparam name="THandler">
    /// A <c>MessageHandler</c> (TCP and UDP), a <c>ConversationHandler</c>, <c>BlockingHandler</c> or any other
    /// <see cref="ConnectionHandler"/> (TCP), or a <see cref="DatagramHandler"/> (UDP).
    /// </typeparam>
    /// <typeparam name="TOptions">Its options: settable properties with their defaults, checked by data annotations.</typeparam>
    /// <param name="name">The protocol's name in the configuration, in any case.</param>
    /// <exception cref="InvalidOperationException">The class is no handler.</exception>
    public PerchBuilder AddProtocol<THandler, TOptions>(string name)
        where THandler : class
        where TOptions : class, new() =>
        Add(new(name, typeof(THandler), typeof(TOptions))).AddHandler(name, CreateWithOptions<THandler>);

    /// <summary>Registers a protocol that has a class for connections and another for datagrams, with the same options.</summary>
    /// <typeparam name="THandler">Serves TCP and Unix sockets.</typeparam>
    /// <typeparam name="TDatagrams">Serves UDP.</typeparam>
    /// <typeparam name="TOptions">The options of both.</typeparam>
    /// <param name="name">The protocol's name in the configuration, in any case.</param>
    public PerchBuilder AddProtocol<THandler, TDatagrams, TOptions>(string name)
        where THandler : ConnectionHandler
        where TDatagrams : DatagramHandler
        where TOptions : class, new() =>
        Add(new(name, typeof(THandler), typeof(TOptions), typeof(TDatagrams)))
            .AddHandler(name, CreateWithOptions<THandler>)
            .AddHandler(ProtocolDescriptor.DatagramKey(name), CreateWithOptions<TDatagrams>);

    /// <summary>Registers a protocol without options.</summary>
    /// <inheritdoc cref="AddProtocol{THandler, TOptions}"/>
    public PerchBuilder AddProtocol<THandler>(string name)
        where THandler : class =>
        Add(new(name, typeof(THandler), typeof(NoOptions))).AddHandler(name, static services => ActivatorUtilities.CreateInstance<THandler>(services));

    /// <summary>
    /// Registers a section under <c>Perch</c> that several protocols share. It is read and checked as strictly as the
    /// rest; the options are a singleton that is read at the start, so a change takes effect at the next one. Several types can be
    /// registered for one section: a key that one of them knows is no fault for the others.
    /// </summary>
    /// <typeparam name="TOptions">Settable properties with their defaults, checked by data annotations.</typeparam>
    /// <param name="name">The key under <c>Perch</c>.</param>
    public PerchBuilder AddSection<TOptions>(string name)
        where TOptions : class, new()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        var section = new SectionDescriptor(name, typeof(TOptions));
        Services.AddSingleton(section);
        if (!Services.Any(service => service.ImplementationInstance is RestartKey key && key.Prefix == $"Perch:{name}"))
            Services.AddSingleton(new RestartKey($"Perch:{name}"));
        Services.AddSingleton(services => (TOptions)services.GetRequiredService<PerchConfigReader>().ReadSection(section));
        return this;
    }

    /// <summary>Registers a word that a key of a section can have. Any other value is a fault that lists the registered words.</summary>
    /// <param name="section">The section's name under <c>Perch</c>.</param>
    /// <param name="key">The key, a text of the section's options.</param>
    /// <param name="word">The word, in any case.</param>
    public PerchBuilder AddChoice(string section, string key, string word)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(word);
        Services.AddSingleton(new SectionChoice(section, key, word));
        return this;
    }

    private static object CreateWithOptions<THandler>(IServiceProvider services)
        where THandler : class =>
        ActivatorUtilities.CreateInstance<THandler>(services, services.GetRequiredService<EndpointScope>().Endpoint.Options.Value);

    private PerchBuilder Add(ProtocolDescriptor protocol)
    {
        if (string.IsNullOrWhiteSpace(protocol.Name)) throw new ArgumentException("A protocol needs a name.", nameof(protocol));
        if (!protocol.Serves(EndpointTransport.Tcp) && !protocol.Serves(EndpointTransport.Udp))
            throw new InvalidOperationException($"{protocol.HandlerType} of the protocol '{protocol.Name}' is no handler: derive it from a ConnectionHandler such as MessageHandler, or from DatagramHandler.");
        Services.AddSingleton(protocol);
        return this;
    }

    private PerchBuilder AddHandler(string key, Func<IServiceProvider, object> create)
    {
        Services.AddKeyedScoped(key, (services, _) => create(services));
        return this;
    }
}
