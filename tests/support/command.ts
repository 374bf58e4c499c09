/** Runs the real `rejoin` command in processes of its own, as a user's shell would. */
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'

export const checkout = path.resolve(import.meta.dirname, '../..')
export const samplePack = path.join(checkout, 'packages/rejoin/sample-pack')
const bin = path.join(checkout, 'packages/rejoin/bin/rejoin.js')

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Beside this process's own environment. */
export type Environment = Readonly<Record<string, string>>

/** Runs a command to its end. */
export async function rejoin(
  args: readonly string[],
  input = '',
  environment: Environment = {},
): Promise<Outcome> {
  const child = start(args, environment)
  child.stdin.end(input)
  const exit = new Promise<number | null>((resolve) => child.on('exit', (code) => resolve(code)))
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit])
  return { code, stdout, stderr }
}

/** Runs a command that must succeed and gives its JSON. */
export async function rejoinJson(
  args: readonly string[],
  input = '',
  environment: Environment = {},
): Promise<never> {
  const { code, stdout, stderr } = await rejoin([...args, '--json'], input, environment)
  if (code !== 0) throw new Error(`rejoin ${args.join(' ')} exited with ${code}: ${stderr}${stdout}`)
  const lines = stdout.trim().split('\n')
  const documents: unknown[] = lines.map((line) => JSON.parse(line) as unknown)
  // Each test says by its use what shape it expects.
  return (documents.length === 1 ? documents[0] : documents) as never
}

export interface Running {
  /** The first line it printed. */
  readonly first: string
  readonly pid: number
  /** Everything printed so far: to standard output, and to standard error. */
  stdout(): string
  stderr(): string
  /** Sends a signal and waits for the end; gives the exit code, or the signal that ended it. */
  stop(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null>
}

/** Starts a command that goes on, and waits for its first line. */
export async function startRejoin(args: readonly string[], environment: Environment = {}): Promise<Running> {
  const child = start(args, environment)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.on('exit', (code, signal) => resolve(code ?? signal))
  })
  const first = await Promise.race([
    firstLine(child.stdout),
    ended.then((code) => {
      throw new Error(`rejoin ${args.join(' ')} ended with ${code}: ${stderr}`)
    }),
  ])
  return {
    first,
    pid: child.pid ?? 0,
    stdout: () => stdout,
    stderr: () => stderr,
    stop: (signal) => {
      child.kill(signal)
      return ended
    },
  }
}

/** A temporary folder for one test. */
export async function withFolder<R>(use: (folder: string) => Promise<R>): Promise<R> {
  const folder = await mkdtemp(path.join(tmpdir(), 'rejoin-test-'))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A hub in a process of its own on a free port, stopped with Ctrl-C whatever happens. */
export async function withHub<R>(folder: string, use: (url: string, hub: Running) => Promise<R>): Promise<R> {
  const hub = await startRejoin(['hub', '--data', folder, '--port', '0'])
  try {
    return await use(hub.first, hub)
  } finally {
    await hub.stop('SIGINT')
  }
}

function start(
  args: readonly string[],
  environment: Environment,
): ChildProcessByStdio<Writable, Readable, Readable> {
  const env = { ...process.env, ...environment }
  return spawn(process.execPath, [bin, ...args], { stdio: ['pipe', 'pipe', 'pipe'], env })
}

function firstLine(stream: Readable): Promise<string> {
  return new Promise((resolve) => {
    let read = ''
    stream.on('data', (chunk: Buffer) => {
      read += chunk.toString()
      const end = read.indexOf('\n')
      if (end >= 0) resolve(read.slice(0, end))
    })
  })
}
