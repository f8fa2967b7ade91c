namespace Perch.Files;

/// <summary>A store that <c>Perch:Files:Store</c> can name.</summary>
/// <param name="Name">The name, in any case.</param>
/// <param name="Create">Creates the store. Called only for the store that is chosen.</param>
internal sealed record FileStoreRegistration(string Name, Func<IServiceProvider, IFileStore> Create);
