using System.Runtime.InteropServices;
using SQLitePCL;

namespace Perch.Protocols.Record.Sqlite;

/// <summary>
/// The native SQLite of this process: the system's, which gets the system's updates, or where there is none (or too old a
/// one) the one that comes with Perch.
/// </summary>
internal sealed class SqliteLibrary
{
    private const string Bundled = "e_sqlite3";
    private const string System = "libsqlite3.so.0";

    /// <summary>3.24.0: <c>ON CONFLICT DO NOTHING</c>.</summary>
    private const int OldestVersion = 3_024_000;
    private const int HasMovedControl = 20;

    private readonly FileControl? _fileControl;

    private SqliteLibrary(string name, FileControl? fileControl)
    {
        (Name, _fileControl) = (name, fileControl);
        Version = raw.sqlite3_libversion().utf8_to_string();
    }

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int FileControl(nint database, nint name, int operation, ref int value);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int Number();

    /// <summary>A process has one; the first who asks loads it.</summary>
    public static SqliteLibrary Instance { get; } = Load();

    public string Name { get; }

    public string Version { get; }

    /// <summary>Whether the file that is open is not what its path names any more. One <c>stat</c>.</summary>
    public bool HasMoved(sqlite3 database)
    {
        var moved = 0;
        return _fileControl?.Invoke(database.DangerousGetHandle(), 0, HasMovedControl, ref moved) == raw.SQLITE_OK && moved != 0;
    }

    private static SqliteLibrary Load()
    {
        var provider = typeof(SQLite3Provider_e_sqlite3).Assembly;
        var name = System;
        if (!TryLoadSystem(out var library))
        {
            name = Bundled;
            NativeLibrary.TryLoad(Bundled, provider, searchPath: null, out library);
        }
        NativeLibrary.SetDllImportResolver(provider, (asked, _, _) => asked == Bundled ? library : 0);
        raw.SetProvider(new SQLite3Provider_e_sqlite3());
        return new(name, Export<FileControl>(library, "sqlite3_file_control"));
    }

    private static bool TryLoadSystem(out nint library)
    {
        library = 0;
        if (!OperatingSystem.IsLinux() || !NativeLibrary.TryLoad(System, out library)) return false;
        if (Export<Number>(library, "sqlite3_libversion_number")?.Invoke() >= OldestVersion && Export<Number>(library, "sqlite3_threadsafe")?.Invoke() > 0) return true;
        NativeLibrary.Free(library);
        return false;
    }

    private static T? Export<T>(nint library, string name)
        where T : Delegate =>
        library != 0 && NativeLibrary.TryGetExport(library, name, out var address) ? Marshal.GetDelegateForFunctionPointer<T>(address) : null;
}
