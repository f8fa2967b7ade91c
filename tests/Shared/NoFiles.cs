using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Hosting;

namespace Perch.Tests.Shared;

/// <summary>The environment of a host that reads no files.</summary>
internal sealed class NoFiles : IHostEnvironment
{
    public string ApplicationName { get; set; } = "test";

    public IFileProvider ContentRootFileProvider { get; set; } = new NullFileProvider();

    public string ContentRootPath { get; set; } = "/";

    public string EnvironmentName { get; set; } = "Test";
}
