namespace Perch.Records;

/// <summary>The store cannot do what was asked of it now.</summary>
/// <param name="code">What a sender is told: <c>unavailable</c>, <c>busy</c>, <c>full</c>, <c>read-only</c> or <c>corrupt</c>.</param>
/// <param name="text">For the operator: the log and the readiness have it, the sender does not.</param>
/// <param name="inner">What the store's library threw.</param>
internal class RecordStoreException(string code, string text, Exception? inner = null) : Exception(text, inner)
{
    public string Code { get; } = code;
}
