using System.ComponentModel.DataAnnotations;

namespace Perch.Lifecycle;

/// <summary>How the server stops: <c>Perch:Shutdown</c>.</summary>
public sealed record ShutdownOptions
{
    /// <summary>How long after the signal new connections are still accepted while readiness is red, for load balancers to notice. Default 0.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan LameDuck { get; set; }

    /// <summary>How long busy connections may take to finish the message in hand; then they are aborted. Default 20 seconds.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan Drain { get; set; } = TimeSpan.FromSeconds(20);
}
