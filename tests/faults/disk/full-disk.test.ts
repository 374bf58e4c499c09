// A hub process on a disk that fills up, behind a limit of file sizes, and in a folder that cannot be written.
import { execFile } from 'node:child_process'
import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { commitName } from '@rejoin/core'
import { digestOf } from '@rejoin/crdt-adapter'
import { intents, openClient, type Replica } from 'rejoin'
import { withFolder } from '../../support/command.ts'
import { bundled } from '../../support/bundle.ts'
import { startScript, type RunningScript } from '../../support/script.ts'
import { until, within } from '../../support/until.ts'
import { CommitLedger } from '../commit-ledger.ts'
import { checkHubFolder } from '../hub-folder-check.ts'
import { phrasesOf } from '../bystander.ts'
import { intentId, nextOps } from '../writing.ts'
import { withSmallDisk, withoutSmallDisk } from './small-disk.ts'

const script = await bundled(path.join(import.meta.dirname, '../processes/hub.ts'))
const withoutDisk = await withoutSmallDisk()
if (withoutDisk !== null) console.log(`the tests on a small disk are left out: ${withoutDisk}`)
const withoutLimit = await promisify(execFile)('prlimit', ['--version']).then(
  () => null,
  () => 'there is no prlimit on this machine',
)
if (withoutLimit !== null) console.log(`the test of a file-size limit is left out: ${withoutLimit}`)

describe.runIf(withoutDisk === null)('a hub on a small disk', () => {
  test('[3] when the disk is full it says so, serves readers, and acknowledges nothing; with room again it goes on', async () => {
    await withSmallDisk(async (disk) => {
      await withFolder(async (folder) => {
        await checkOutOfRoom({
          folder,
          data: path.join(disk.folder, 'hub'),
          start: (data, port) => startScript(script, [data, port]),
          fill: () => disk.fill(),
          free: () => disk.free(),
        })
      })
    })
  })

  test('in a folder that cannot be written it does not start, says why, and touches nothing', async () => {
    await withSmallDisk(async (disk) => {
      const data = path.join(disk.folder, 'hub')
      await (await ready(startScript(script, [data]))).stop('SIGKILL')
      const before = await filesOf(data)
      await disk.mountAgain('ro')
      const hub = startScript(script, [data])
      expect(await within('the hub gives up', hub.ended)).toBe(1)
      expect(hub.stderr()).toMatch(/^STORE_UNAVAILABLE /)
      expect(await filesOf(data)).toEqual(before)
      await disk.mountAgain('rw')
      await (await ready(startScript(script, [data]))).stop('SIGKILL')
    })
  })

  test('on a disk that is already full it does not start, says why, and starts once there is room', async () => {
    await withSmallDisk(async (disk) => {
      const data = path.join(disk.folder, 'hub')
      await disk.fill()
      const hub = startScript(script, [data])
      expect(await within('the hub gives up', hub.ended)).toBe(1)
      expect(hub.stderr()).toMatch(/^STORE_FULL /)
      await disk.free()
      await (await ready(startScript(script, [data]))).stop('SIGKILL')
    })
  })
})

test.runIf(withoutLimit === null)(
  '[3] behind a limit of file sizes a hub says so, serves readers, and acknowledges nothing',
  async () => {
    await withFolder(async (folder) => {
      const limited = ['prlimit', '--fsize=20000:unlimited', '--']
      await checkOutOfRoom({
        folder,
        data: path.join(folder, 'hub'),
        start: (data, port) => startScript(script, [data, port], { under: limited }),
        fill: async () => {},
        free: async ({ pid }) => {
          await promisify(execFile)('prlimit', ['--pid', String(pid), '--fsize=unlimited:unlimited'])
        },
      })
    })
  },
)

test.runIf(withoutDisk === null)(
  '[3] while its folder is read-only a running hub says so, serves readers, and acknowledges nothing',
  async () => {
    await withFolder(async (folder) => {
      const data = path.join(folder, 'hub')
      const mount = (...args: readonly string[]) => promisify(execFile)('mount', [...args])
      let isMounted = false
      const unmount = async (): Promise<void> => {
        // The hub may have opened a table behind it, and goes on reading that: whatever it opens next is opened in the folder.
        if (isMounted) await promisify(execFile)('umount', ['--lazy', data])
        isMounted = false
      }
      try {
        await checkOutOfRoom({
          folder,
          data,
          start: (...args) => startScript(script, args),
          // Over the folder: what LevelDB has open it may write on, and no file is made or opened for writing.
          fill: async () => {
            await mount('--bind', data, data)
            isMounted = true
            await mount('-o', 'remount,bind,ro', data)
          },
          free: unmount,
          // Until it needs a new log.
          paddingBytes: 100_000,
        })
      } finally {
        await unmount()
      }
    })
  },
)

interface Shortage {
  /** Where the replicas may be: with room enough. */
  readonly folder: string
  readonly data: string
  readonly start: (data: string, port: string) => RunningScript
  readonly fill: () => Promise<void>
  /** Gives it room again while it runs. */
  readonly free: (hub: RunningScript) => Promise<void>
  /** Bytes of a commit beside what every commit writes; 0 where it is left out. */
  readonly paddingBytes?: number
}

async function checkOutOfRoom({
  folder,
  data,
  start,
  fill,
  free,
  paddingBytes = 0,
}: Shortage): Promise<void> {
  let hub = await ready(start(data, '0'))
  const url = await hub.first
  const ledger = new CommitLedger()
  const client = await openClient({ data: path.join(folder, 'writer'), hub: url })
  try {
    const replica = await client.open(intents, 'support')
    const write = writer(replica, ledger, paddingBytes)
    for (let i = 0; i < 20; i++) await write()
    await until('the first commits are acknowledged', () => ledger.counts.acked === 20)

    await fill()
    // What is still free in a page or below the limit is used up first.
    for (let i = 0; i < 2_000 && !isOutOfRoom(replica); i++) await write()
    await until('the writer hears of it', () => isOutOfRoom(replica))
    const { acked } = ledger.counts
    expect(replica.status.pending).toBeGreaterThan(0)

    const readerPhrases = await readAll(path.join(folder, 'reader'), url)
    ledger.checkReadable(readerPhrases.phrases, 'acked')
    expect(ledger.counts.acked).toBe(acked)

    await free(hub)
    await within('the hub goes on', goneOn(replica))
    const settledWith = ledger.counts.acked
    for (let i = 0; i < 50; i++) await write()
    await until('everything is acknowledged', () => replica.status.pending === 0)
    await within('the hub is gone', hub.stop('SIGKILL'))
    // What was acknowledged after the failed write is where that write may have left a torn end.
    await checkHubFolder(data, ledger)

    hub = await ready(startScript(script, [data, new URL(url).port]))
    replica.disconnect()
    replica.connect()
    const after = await readAll(path.join(folder, 'reader-after'), url)
    ledger.checkReadable(after.phrases, 'saved')
    expect(after.digest).toBe(digestOf(replica.registers))
    console.log(
      `acknowledged: ${acked} until there was no room, ${settledWith} once there was, ${ledger.counts.acked} in the end`,
    )
  } finally {
    await client.close()
    await hub.stop('SIGKILL')
  }
}

/** Writes one commit at a time, saved here, and notes what becomes of it. */
function writer(
  replica: Replica<typeof intents>,
  ledger: CommitLedger,
  paddingBytes: number,
): () => Promise<void> {
  let n = 0
  return async () => {
    const phrase = `phrase ${n}`
    const padding = {
      type: 'IntentMetadataUpdated',
      id: intentId,
      edit: { description: `${n}`.padEnd(paddingBytes) },
    }
    const receipt = replica.apply(
      paddingBytes === 0 ? nextOps(phrase, n) : [...nextOps(phrase, n), padding as never],
    )
    n++
    if (receipt.kind === 'unchanged') return
    const commit = commitName(receipt.id)
    void receipt.acked.then(
      () => ledger.ack(commit),
      () => {},
    )
    await receipt.saved
    ledger.save(commit, phrase)
  }
}

function isOutOfRoom({ status }: Replica<typeof intents>): boolean {
  return status.lastError?.code === 'STORE_FULL' || status.lastError?.code === 'STORE_UNAVAILABLE'
}

/** The hub takes what waits, without a restart. It is asked again every second, not when the back-off says. */
async function goneOn(replica: Replica<typeof intents>): Promise<void> {
  for (let attempt = 0; attempt < 30 && replica.status.pending > 0; attempt++) {
    replica.disconnect()
    replica.connect()
    await until('everything is acknowledged', () => replica.status.pending === 0, 1_000).catch(() => {})
  }
  expect(replica.status.pending).toBe(0)
}

async function readAll(
  data: string,
  hub: string,
): Promise<{ readonly phrases: ReadonlySet<string>; readonly digest: string }> {
  const client = await openClient({ data, hub })
  try {
    const replica = await client.open(intents, 'support', { live: false })
    await within('the reader has caught up', replica.syncOnce(client.dialOnce ?? undefined))
    return { phrases: phrasesOf(replica), digest: digestOf(replica.registers) }
  } finally {
    await client.close()
  }
}

async function ready(hub: RunningScript): Promise<RunningScript> {
  await within('the hub is ready', hub.first)
  return hub
}

/** Names, sizes and bytes of everything in a folder. */
async function filesOf(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
  return await Promise.all(
    files.sort().map(async (file) => {
      const [{ mtimeMs }, bytes] = await Promise.all([stat(file), readFile(file, 'base64')])
      return `${file} ${mtimeMs} ${bytes}`
    }),
  )
}
