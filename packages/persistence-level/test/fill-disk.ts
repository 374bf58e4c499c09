/**
 * A process of its own, on the small disk named on the command line: fills a hub folder until it is refused, and prints
 * what it saw as one line of JSON. `size` limits the size of files instead; `read-only` lays a mount over the folder that
 * lets no file be made or opened for writing.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SyncError, type HubStore } from '@rejoin/core'
import { openHubFolder } from '../src/node.ts'

const [disk = '', mode = 'disk'] = process.argv.slice(2)
const path = join(disk, 'data')
const filler = join(disk, 'filler')
const options = { ballastBytes: 6 * 1024 * 1024 }

const saw: Record<string, unknown> = {}
await writeFile(filler, randomBytes(4 * 1024 * 1024))
const first = await openHubFolder(path, options)
await first.store.append('support', 0, randomBytes(10_000))
if (mode === 'size') limitFiles('300000:unlimited')
if (mode === 'read-only') {
  mount('--bind', path, path)
  mount('-o', 'remount,bind,ro', path)
}
const head = await fill(first.store, 1)
saw['refusedWith'] = await codeOf(first.store.append('support', head, new Uint8Array(1)))
saw['readsAllWhileFull'] = (await countOf(first.store)) === head
let last = first
if (mode === 'disk') {
  await first.close()
  last = await openHubFolder(path, options)
  saw['opensWhileFull'] = (await countOf(last.store)) >= head
  const refilled = await fill(last.store, await countOf(last.store))
  saw['refusedAgainWith'] = await codeOf(last.store.append('support', refilled, new Uint8Array(1)))
  await rm(filler)
} else if (mode === 'size') limitFiles('unlimited')
else if (spawnSync('umount', [path]).status !== 0) throw new Error('umount failed')
const before = await countOf(last.store)
// The batch that failed may have been written, and shows after reopening.
const result = await last.store.append('support', before, new Uint8Array(1))
saw['writesOnceThereIsRoom'] = result.kind === 'appended' || result.head === before + 1
await last.close()
const again = await openHubFolder(path, options)
saw['keepsAll'] = (await countOf(again.store)) > before
saw['found'] = again.found
await again.close()
console.log(JSON.stringify(saw))

/** Appends until it is refused; the head. */
async function fill(store: HubStore, from: number): Promise<number> {
  for (let head = from; ; head++) {
    const refusal = await codeOf(store.append('support', head, randomBytes(50_000)))
    if (refusal !== null) return head
    if (head > 5_000) throw new Error('the disk does not fill')
  }
}

async function countOf(store: HubStore): Promise<number> {
  const tail = await store.readTail('support', 0, { records: 10_000, bytes: 1e9 })
  return tail.kind === 'records' ? tail.records.length : -1
}

async function codeOf(call: Promise<unknown>): Promise<string | null> {
  try {
    await call
    return null
  } catch (error) {
    return error instanceof SyncError ? error.code : String(error)
  }
}

function mount(...args: readonly string[]): void {
  if (spawnSync('mount', args).status !== 0) throw new Error('mount failed')
}

function limitFiles(fsize: string): void {
  const { status } = spawnSync('prlimit', ['--pid', `${process.pid}`, `--fsize=${fsize}`])
  if (status !== 0) throw new Error('prlimit failed')
}
