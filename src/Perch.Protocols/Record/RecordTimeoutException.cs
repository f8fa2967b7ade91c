namespace Perch.Protocols.Record;

/// <summary>A record waited too long for its commit. It may yet be stored, so the connection's answers end here.</summary>
internal sealed class RecordTimeoutException(TimeSpan limit)
    : RecordStoreException("unavailable", $"the store has not answered within {limit.TotalSeconds:0.#} s");
