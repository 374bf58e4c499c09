/** Compiles `witness.c` where there is a compiler and a system that preloads libraries. */
import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** @returns why there can be no witness on this machine, or null. */
export async function withoutWitness(): Promise<string | null> {
  if (process.platform !== 'linux')
    return `a power cut is simulated on Linux alone, this is ${process.platform}`
  return await run('gcc', ['--version']).then(
    () => null,
    () => 'there is no gcc to compile the witness of syncs with',
  )
}

/** @returns the library's path. */
export async function compileWitness(folder: string): Promise<string> {
  const library = path.join(folder, 'witness.so')
  const source = path.join(import.meta.dirname, 'witness.c')
  await run('gcc', ['-shared', '-fPIC', '-O2', '-Wall', '-o', library, source, '-ldl', '-lpthread'])
  return library
}
