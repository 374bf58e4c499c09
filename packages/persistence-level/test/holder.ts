/** Runs `hold-folder.ts`: another process that has a hub folder open until it is killed. */
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const holderPath = fileURLToPath(new URL('hold-folder.ts', import.meta.url))

export function runHolder(path: string, mode = 'hold'): ChildProcess {
  const flags = ['--conditions=@rejoin/source', '--import', 'tsx']
  return spawn(process.execPath, [...flags, holderPath, path, mode], { stdio: ['pipe', 'pipe', 'inherit'] })
}

export async function* linesOf(child: ChildProcess): AsyncGenerator<string, void, undefined> {
  if (child.stdout === null) throw new Error('the child has no output')
  yield* createInterface({ input: child.stdout })
}

export async function firstLine(child: ChildProcess): Promise<string> {
  for await (const line of linesOf(child)) return line
  return ''
}
