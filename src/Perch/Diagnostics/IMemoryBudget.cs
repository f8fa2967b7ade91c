namespace Perch.Diagnostics;

/// <summary>The memory that peers occupy in this process (<c>Perch:MemoryBudget</c>).</summary>
public interface IMemoryBudget
{
    /// <summary>Adds a consumer, such as a queue, for the life of the process.</summary>
    /// <param name="bytes">The bytes that it occupies now. Called on any thread, several times a second and before each accept.</param>
    void Add(Func<long> bytes);
}
