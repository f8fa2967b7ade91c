namespace Perch.Records;

/// <summary>A store that <c>Perch:Records:Store</c> can name.</summary>
/// <param name="Name">The name, in any case.</param>
/// <param name="Create">Creates the store. Called only for the store that is chosen.</param>
internal sealed record RecordStoreRegistration(string Name, Func<IServiceProvider, IRecordStore> Create);
