/** The `rejoin` command in this process: for tests of what it says and does that need no shell. */
import { Writable } from 'node:stream'
import { main } from '../../packages/rejoin/src/cli/main.ts'
import type { Outcome } from './command.ts'

export async function rejoin(args: readonly string[]): Promise<Outcome> {
  const [stdout, stderr] = [new Sink(), new Sink()]
  const code = await main(args, { stdout, stderr })
  return { code, stdout: stdout.text, stderr: stderr.text }
}

/** Of a command that must succeed. Each test says by its use what shape it expects. */
export async function rejoinJson<T = unknown>(args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await rejoin([...args, '--json'])
  if (code !== 0) throw new Error(`rejoin ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`)
  return JSON.parse(stdout) as T
}

class Sink extends Writable {
  text = ''

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}
