namespace Perch.Records;

/// <summary>Where records are kept. Appends come from the <see cref="RecordWriter"/>; reads may come beside them.</summary>
internal interface IRecordStore : IAsyncDisposable
{
    /// <summary>How many appends may run at once. Those of one lane come one after the other.</summary>
    int Writers { get; }

    /// <summary>Whether other processes store there too, so that a reader who waits for the next record has to look by itself.</summary>
    bool IsShared { get; }

    /// <summary>Makes the store ready: creates or migrates its tables. Called again after it failed.</summary>
    /// <exception cref="RecordStoreException">It cannot be used now.</exception>
    Task OpenAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Stores every record of the batches in one transaction and gives each its id (<see cref="RecordBatch.SetId"/>).
    /// When it returns they are durable. A record whose key was seen before within the window is not stored again and
    /// gets the id of the first.
    /// </summary>
    /// <exception cref="RecordStoreException">None of them is known to be durable; where the commit itself failed they may be there all the same.</exception>
    Task AppendAsync(IReadOnlyList<RecordBatch> batches, CancellationToken cancellationToken);

    /// <summary>Finds out whether an append would work now, without storing anything.</summary>
    /// <exception cref="RecordStoreException">It would not.</exception>
    Task ProbeAsync(CancellationToken cancellationToken);

    /// <summary>One step of retention: deletes at most so many of the records, and of the keys, that are past their time.</summary>
    /// <returns>How many were deleted; 0 where nothing is due.</returns>
    Task<int> TrimAsync(int most, CancellationToken cancellationToken);

    /// <summary>The records that the query asks for, in the order of their ids.</summary>
    /// <exception cref="RecordStoreException">The store cannot be read now.</exception>
    IAsyncEnumerable<StoredRecord> ReadAsync(RecordQuery query, CancellationToken cancellationToken);

    /// <returns>The id behind which the records are that come from now on; 0 where there is none before.</returns>
    /// <exception cref="RecordStoreException">The store cannot be read now.</exception>
    Task<long> LastIdAsync(CancellationToken cancellationToken);

    /// <returns>
    /// The last id that was given to a record, committed or not, deleted or not; 0 before the first. It is never less than an id that was
    /// read.
    /// </returns>
    /// <exception cref="RecordStoreException">The store cannot be read now.</exception>
    Task<long> LastGivenIdAsync(CancellationToken cancellationToken) => LastIdAsync(cancellationToken);

    /// <returns>The bytes that the store occupies, or null if it does not exist yet or does not know.</returns>
    /// <exception cref="RecordStoreException">The store cannot be read now.</exception>
    Task<long?> SizeAsync(CancellationToken cancellationToken) => Task.FromResult<long?>(null);

    /// <returns>The record, or null.</returns>
    Task<StoredRecord?> FindAsync(long id, CancellationToken cancellationToken);
}
