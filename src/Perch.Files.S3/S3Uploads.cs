namespace Perch.Files.S3;

/// <summary>The uploads that this process has on their way.</summary>
internal sealed class S3Uploads
{
    private readonly Dictionary<string, S3Upload> _newest = [];
    private readonly HashSet<S3Upload> _all = [];
    private readonly Lock _lock = new();

    /// <summary>All of them.</summary>
    public S3Upload[] All
    {
        get
        {
            lock (_lock) return [.. _all];
        }
    }

    /// <summary>From now on the one to resume.</summary>
    public void Add(string key, S3Upload upload)
    {
        lock (_lock)
        {
            _newest[key] = upload;
            _all.Add(upload);
        }
    }

    /// <summary>The upload of a name that began last; null where none is on its way.</summary>
    /// <param name="key">Of its checkpoint.</param>
    public S3Upload? Newest(string key)
    {
        lock (_lock) return _newest.GetValueOrDefault(key);
    }

    public void Remove(string key, S3Upload upload)
    {
        lock (_lock)
        {
            _all.Remove(upload);
            if (_newest.GetValueOrDefault(key) == upload) _newest.Remove(key);
        }
    }
}
