namespace Perch.Protocols.Record;

/// <summary>Commits what the record endpoints have gathered.</summary>
internal sealed class RecordWriter;
