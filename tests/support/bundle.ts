/**
 * Scripts of the tests as one file each: a process reads that several times faster than the sources by way of tsx. For scripts
 * that are started many times; made anew by each file of tests, so it is never stale. LevelDB stays outside, with its native
 * part.
 */
import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { build, defaultServerConditions } from 'vite'
import { checkout } from './command.ts'

/** Of this run of vitest, which sets it and removes it. */
const RUN_FOLDER = 'REJOIN_BUNDLES'
/** Here packages are found, and git does not look. */
const cache = path.join(checkout, 'node_modules/.cache')
/** A hub's thread, which it looks for beside itself, as in the published package. */
const thread = path.join(checkout, 'packages/rejoin/src/wiring/document-worker-thread.ts')
const bundles = new Map<string, Promise<string>>()

/** @returns the file to start instead of this script. */
export function bundled(script: string): Promise<string> {
  const known = bundles.get(script)
  if (known !== undefined) return known
  const made = bundle(script)
  bundles.set(script, made)
  return made
}

/** For vitest: where all bundles of a run lie, until it ends. */
export async function setup(): Promise<() => void> {
  const folder = await temporaryFolder(cache)
  process.env[RUN_FOLDER] = folder
  return () => rmSync(folder, { recursive: true, force: true })
}

async function bundle(script: string): Promise<string> {
  const run = process.env[RUN_FOLDER]
  const folder = await temporaryFolder(run ?? cache)
  if (run === undefined) process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  await writeFile(path.join(folder, 'package.json'), '{ "type": "module" }')
  const name = path.basename(script, '.ts')
  await build({
    configFile: false,
    root: checkout,
    logLevel: 'warn',
    ssr: {
      resolve: { conditions: ['@rejoin/source', ...defaultServerConditions] },
      noExternal: true,
      external: ['level', 'classic-level'],
    },
    build: {
      ssr: true,
      target: 'node20',
      minify: false,
      copyPublicDir: false,
      outDir: folder,
      emptyOutDir: false,
      rolldownOptions: {
        input: { [name]: script, 'document-worker-thread': thread },
        output: { entryFileNames: '[name].js', chunkFileNames: '[name].js' },
      },
    },
  })
  return path.join(folder, `${name}.js`)
}

async function temporaryFolder(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true })
  return await mkdtemp(path.join(parent, 'rejoin-bundles-'))
}
