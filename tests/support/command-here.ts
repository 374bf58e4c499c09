/** The `rejoin` command in this process, several times faster: for tests of what it says and does that need no shell. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Writable } from 'node:stream'
import { main } from '../../packages/rejoin/src/cli/main.ts'
import { withFolder, type Environment, type Outcome } from './command.ts'

/**
 * @param input what it reads, from a file that is its last argument: the standard input is this process's own.
 * @param environment its variables until it ends: one command at a time.
 */
export async function rejoin(
  args: readonly string[],
  input = '',
  environment: Environment = {},
): Promise<Outcome> {
  if (input === '') return await run(args, environment)
  return await withFolder(async (folder) => {
    const file = path.join(folder, 'input')
    await writeFile(file, input)
    return await run([...args, file], environment)
  })
}

/** Of a command that must succeed. Each test says by its use what shape it expects. */
export async function rejoinJson<T = unknown>(
  args: readonly string[],
  input = '',
  environment: Environment = {},
): Promise<T> {
  const { code, stdout, stderr } = await rejoin([...args, '--json'], input, environment)
  if (code !== 0) throw new Error(`rejoin ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`)
  return JSON.parse(stdout) as T
}

async function run(args: readonly string[], environment: Environment): Promise<Outcome> {
  const before = { ...process.env }
  Object.assign(process.env, environment)
  const [stdout, stderr] = [new Sink(), new Sink()]
  try {
    const code = await main(args, { stdout, stderr })
    return { code, stdout: stdout.text, stderr: stderr.text }
  } finally {
    for (const name of Object.keys(environment)) {
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
    }
  }
}

class Sink extends Writable {
  text = ''

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}
