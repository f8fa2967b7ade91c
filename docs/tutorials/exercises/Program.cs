using Exercises;
using Perch;
using Perch.Messages;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddPerch(builder.Configuration)
    .AddProtocol<OneShotHandler, MessageOptions>("one-shot")
    .AddProtocol<SessionHandler, MessageOptions>("session")
    .AddProtocol<PayloadHandler, MessageOptions>("payload")
    .AddProtocol<GeneratorHandler, MessageOptions>("generator");
await builder.Build().RunAsync();
