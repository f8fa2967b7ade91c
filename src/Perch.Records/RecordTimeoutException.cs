namespace Perch.Records;

/// <summary>A record waited too long for its commit. It may yet be stored: the connection ends when those that are on their way are answered.</summary>
internal sealed class RecordTimeoutException(TimeSpan limit)
    : RecordStoreException("unavailable", $"the store has not answered within {limit.TotalSeconds:0.#} s");
