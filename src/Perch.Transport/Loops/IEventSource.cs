namespace Perch.Transport.Loops;

/// <summary>What a loop watches: a connection or a listener. Its methods are called on the loop's thread, one at a time.</summary>
internal interface IEventSource
{
    /// <summary>Its place among the loop's sources, as the system hands it back with each event.</summary>
    ulong Key { get; set; }

    /// <summary>Counts when what it runs holds the loop.</summary>
    LoopHolds Holds { get; }

    /// <summary>The system has news of the descriptor.</summary>
    void OnEvents(uint events);

    /// <summary>Goes on with what was handed to the loop.</summary>
    void OnWork(LoopWork work);

    /// <summary>The time that was asked for has come (<see cref="Loop.Remind"/>).</summary>
    void OnReminder();

    /// <summary>It is served after the next one: has what it points to fetched into the cache.</summary>
    void PrefetchParts()
    {
    }

    /// <summary>It is served next: has what its parts point to fetched into the cache.</summary>
    void Prefetch()
    {
    }

    /// <summary>The loop ends: nothing will be heard of the descriptor any more.</summary>
    void OnLoopEnded();
}
