/** Runs a script of the tests, from source or bundled, in a process of its own that may be killed at any moment. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export interface ScriptOptions {
  /** Hears each line that it prints. */
  readonly onLine?: (line: string) => void
  /** Beside this process's own environment. */
  readonly env?: Readonly<Record<string, string>>
  /** What runs it, with its arguments, e.g. `prlimit --fsize=1000000`; the node of this process where left out. */
  readonly under?: readonly string[]
  /** For node, e.g. `--expose-gc`. */
  readonly flags?: readonly string[]
}

export interface RunningScript {
  readonly pid: number
  /** The first line it prints. Rejects where it ends without one. */
  readonly first: Promise<string>
  /** Once it has ended and all it printed was heard: its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
  /** Everything printed to standard error so far. */
  stderr(): string
  /** Writes a line to its standard input. */
  tell(line: string): void
  /** Sends a signal, where it still runs, and waits for the end. */
  stop(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>
}

export function startScript(
  script: string,
  args: readonly string[],
  { onLine, env, under = [], flags = [] }: ScriptOptions = {},
): RunningScript {
  const [command = '', ...rest] = [
    ...under,
    process.execPath,
    ...flags,
    ...(script.endsWith('.ts') ? ['--conditions=@rejoin/source', '--import', 'tsx'] : []),
    script,
    ...args,
  ]
  const child = spawn(command, rest, {
    // It ends when its standard input does: none outlives who started it.
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    // Of its own group: Ctrl-C is for who started it, who then stops it in order.
    detached: true,
  })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  // Closed, not only gone: what it wrote before it died has been read.
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'))
  })
  // Whoever is told something may be gone by then.
  child.stdin.on('error', () => {})
  const lines = createInterface(child.stdout)
  if (onLine !== undefined) lines.on('line', onLine)
  const first = Promise.race([
    new Promise<string>((resolve) => lines.once('line', resolve)),
    ended.then((code) => {
      throw new Error(`${script} ended with ${code}: ${stderr}`)
    }),
  ])
  first.catch(() => {})
  return {
    pid: child.pid ?? 0,
    first,
    ended,
    stderr: () => stderr,
    tell: (line) => void child.stdin.write(`${line}\n`),
    stop: (signal) => {
      child.kill(signal)
      return ended
    },
  }
}
