<#
.SYNOPSIS
Registers (or removes) the scheduled task that re-asserts the wanted live slot of one farm after ARR forgot its states.

.DESCRIPTION
SetState and health live in ARR's worker process and are lost when it recycles (arr.md 5.6). With [durable] by = "reconcile"
nothing in applicationHost.config says which slot is live, so something must say it again. This task runs

    arr-bluegreen farm reconcile FARM --on local

as SYSTEM at boot, on the events WAS writes when it recycles a worker process, and once a minute. The command itself decides
whether there is anything to do: it acts only if ARR's worker started after the last assertion, no live run holds the lock,
the wanted record is of the newest epoch and the wanted slot passes its gate. Several starts at once do no harm (IgnoreNew).

The event ids are the ones WAS documents for a recycle (time, requests, schedule, memory, unhealthy, on demand, configuration,
idle). They only make it faster: the trigger of every minute does not depend on them.

.EXAMPLE
.\Register-ReconcileTask.ps1 -Farm shop -Command 'C:\Program Files\arr-bluegreen\Scripts\arr-bluegreen.exe'

.EXAMPLE
.\Register-ReconcileTask.ps1 -Farm shop -Remove
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [Parameter(Mandatory = $true)]
    [ValidatePattern('^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$')]
    [string] $Farm,

    [string] $Command = '',

    [switch] $Remove
)

Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

$taskPath = '\arr-bluegreen\'
$taskName = "reconcile $Farm"

function Test-Elevated {
    $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
    $principal = New-Object Security.Principal.WindowsPrincipal $identity
    return $principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
}

function Get-CommandPath([string] $given) {
    if ($given) {
        if (-not (Test-Path -LiteralPath $given -PathType Leaf)) {
            throw "no such command: $given"
        }
        return (Resolve-Path -LiteralPath $given).ProviderPath
    }
    $found = Get-Command 'arr-bluegreen.exe' -CommandType Application -ErrorAction SilentlyContinue
    if (-not $found) {
        throw 'arr-bluegreen.exe is not on the PATH: name it with -Command'
    }
    return @($found)[0].Source
}

function Get-TaskXml([string] $path, [string] $farmName) {
    $escapedPath = [Security.SecurityElement]::Escape($path)
    $escapedFarm = [Security.SecurityElement]::Escape($farmName)
    $query = '<QueryList><Query Id="0" Path="System"><Select Path="System">' +
        "*[System[Provider[@Name='Microsoft-Windows-WAS'] and " +
        '((EventID &gt;= 5074 and EventID &lt;= 5081) or EventID=5117 or EventID=5186)]]' +
        '</Select></Query></QueryList>'
    $subscription = [Security.SecurityElement]::Escape($query)
    return @"
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>arr-bluegreen: says again which slot of farm $escapedFarm is live when ARR has forgotten it.</Description>
  </RegistrationInfo>
  <Triggers>
    <BootTrigger />
    <EventTrigger>
      <Subscription>$subscription</Subscription>
    </EventTrigger>
    <TimeTrigger>
      <Repetition>
        <Interval>PT1M</Interval>
        <StopAtDurationEnd>false</StopAtDurationEnd>
      </Repetition>
      <StartBoundary>2026-01-01T00:00:00</StartBoundary>
    </TimeTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>S-1-5-18</UserId>
      <RunLevel>HighestAvailable</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT10M</ExecutionTimeLimit>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>$escapedPath</Command>
      <Arguments>farm reconcile "$escapedFarm" --on local --yes</Arguments>
    </Exec>
  </Actions>
</Task>
"@
}

if (-not (Test-Elevated)) {
    throw 'not elevated: start PowerShell as administrator'
}
if ($Remove) {
    if ($PSCmdlet.ShouldProcess("$taskPath$taskName", 'Unregister scheduled task')) {
        Unregister-ScheduledTask -TaskPath $taskPath -TaskName $taskName -Confirm:$false
        Write-Output "removed: $taskPath$taskName"
    }
    return
}
$path = Get-CommandPath $Command
$xml = Get-TaskXml $path $Farm
if ($PSCmdlet.ShouldProcess("$taskPath$taskName", 'Register scheduled task')) {
    Register-ScheduledTask -TaskPath $taskPath -TaskName $taskName -Xml $xml -Force | Out-Null
    Write-Output "registered: $taskPath$taskName runs $path"
}
