/**
 * The last write of a hub and of a replica, torn as a dying process leaves it: LevelDB's log meets a limit of file sizes amid
 * a record, and the process is killed (`kill -9`) before it can do anything about it. What is left opens, has all that was
 * answered, and says what was cut, once.
 */
import { execFile } from 'node:child_process'
import { cp, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { intents, openClient, startHub, type FolderFinding } from 'rejoin'
import { expect, test } from 'vitest'
import { bundled } from '../support/bundle.ts'
import { rejoin, startRejoin, withFolder } from '../support/command.ts'
import { startScript } from '../support/script.ts'
import { until, within } from '../support/until.ts'
import { Bystander, phrasesOf } from './bystander.ts'
import { CommitLedger } from './commit-ledger.ts'
import { checkHubFolder } from './hub-folder-check.ts'

const processes = path.join(import.meta.dirname, 'processes')
/** Three bytes into the second block of LevelDB's log, where no record can end. */
const bytesMax = 32 * 1024 + 3
const limited = { under: ['prlimit', `--fsize=${bytesMax}:unlimited`, '--'] }
const without = await promisify(execFile)('prlimit', ['--version']).then(
  () => null,
  () => 'there is no prlimit on this machine',
)
if (without !== null) console.log(`the torn tails are left out: ${without}`)

const told = (data: string, file: string, bytes: number): string =>
  `the last write to ${data} was cut short by a crash: ${bytes} bytes at the end of ${file} were dropped; nothing acknowledged was in them`

test.runIf(without === null)(
  '[3] [5] the torn tail of a hub that was killed is cut and told, once',
  async () => {
    await withFolder(async (folder) => {
      const { data, ledger, log } = await tornHub(folder, 'hub')
      const events: string[] = []
      const again = await startHub({
        data,
        domains: [intents],
        port: 0,
        log: (event) => {
          if ('level' in event) events.push(`${event.level}: ${event.message}`)
        },
      })
      await again.close()
      const cut = cutIn(again.found, log)
      expect(events).toEqual([`warn: ${told(data, log, cut.bytes)}`])
      await checkHubFolder(data, ledger)
      const third = await startHub({ data, domains: [intents], port: 0 })
      await third.close()
      expect(third.found).toEqual({ isClosedInOrder: true, batchesLost: 0, logFaults: [] })
    })
  },
)

test.runIf(without === null)(
  '[4] the torn tail of a replica that was killed is cut and told, once',
  async () => {
    await withFolder(async (folder) => {
      const { data, ledger, log } = await tornReplica(folder)
      const client = await openClient({ data })
      try {
        cutIn(client.found, log)
        ledger.checkReadable(phrasesOf(await client.open(intents, 'support')), 'saved')
      } finally {
        await client.close()
      }
      expect((await readdir(data)).includes('rejoin.damaged')).toBe(false)
    })
  },
)

test.runIf(without === null)('the command tells a torn tail, to people and beside its JSON', async () => {
  await withFolder(async (folder) => {
    const { data, log } = await tornReplica(folder)
    const status = await rejoin(['status', '--data', data, '--namespace', 'support', '--json'])
    expect(status).toMatchObject({ code: 0 })
    expect(JSON.parse(status.stdout)).toMatchObject({ persistence: 'ok' })
    const bytes = Number(/(\d+) bytes? at the end/.exec(status.stderr)?.[1])
    expect(status.stderr).toBe(`rejoin: ${told(data, log, bytes)}\n`)
    expect((await rejoin(['status', '--data', data])).stderr).toBe('')
  })
})

test.runIf(without === null)(
  'whichever command opens a hub’s folder first tells its torn tail',
  async () => {
    await withFolder(async (folder) => {
      const { data, log } = await tornHub(folder, 'hub')
      const line = new RegExp(
        `cut short by a crash: \\d+ bytes at the end of ${log} were dropped; nothing ack`,
      )
      const commands: readonly (readonly [name: string, ...more: string[]])[] = [
        ['verify'],
        ['verify', '--json'],
        ['log', '--namespace', 'support'],
        ['repair'],
        ['backup', '--out', path.join(folder, 'backup')],
      ]
      for (const [name, ...more] of commands) {
        const copy = path.join(folder, [name, ...more].join('').replaceAll('/', ''))
        await copyFolder(data, copy)
        const first = await rejoin([name, '--data', copy, ...more])
        expect(first.code, `${name}: ${first.stderr}`).toBe(0)
        expect(first.stderr.split('\n').filter((each) => line.test(each))).toHaveLength(1)
        expect(first.stdout).not.toBe('')
        expect((await rejoin(['verify', '--data', copy])).stderr).toBe('')
      }
      const copy = path.join(folder, 'restored from')
      await copyFolder(data, copy)
      expect((await rejoin(['restore', copy, '--data', path.join(folder, 'restored')])).stderr).toMatch(line)
      const hub = await startRejoin(['hub', '--data', data, '--port', '0'])
      await until('it serves', () => hub.stderr().includes('serving'))
      await hub.stop('SIGINT')
      const lines = hub
        .stderr()
        .split('\n')
        .filter((each) => line.test(each))
      // One of its log, one for whoever started it.
      expect(lines.map((each) => /^\d\S+ warn /.test(each))).toEqual([true, false])
    })
  },
  180_000,
)

/** Without the socket of a hub that was killed. */
async function copyFolder(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true, filter: (each) => path.basename(each) !== 'rejoin.run' })
}

interface Torn {
  readonly data: string
  /** What was answered. */
  readonly ledger: CommitLedger
  /** The file that ends inside a record. */
  readonly log: string
}

async function tornHub(folder: string, name: string): Promise<Torn> {
  const data = path.join(folder, name)
  const ledger = new CommitLedger()
  const hub = startScript(await bundled(path.join(processes, 'hub.ts')), [data, '0', '1000000'], limited)
  const url = await within('the hub is ready', hub.first)
  const writer = await Bystander.open('ada', path.join(folder, `writer of ${name}`), url, ledger)
  try {
    let isOver = false
    const writing = writer.write(() => isOver)
    await until('the hub has no more room', () => hub.stderr().includes('STORE_FULL'))
    isOver = true
    await hub.stop('SIGKILL')
    await writing
    expect(writer.acked).toBeGreaterThan(0)
    return { data, ledger, log: await tornLog(data) }
  } finally {
    await hub.stop('SIGKILL')
    await writer.close()
  }
}

async function tornReplica(folder: string): Promise<Torn> {
  const data = path.join(folder, 'replica')
  const ledger = new CommitLedger()
  let heard = 0
  const replica = startScript(
    await bundled(path.join(processes, 'replica.ts')),
    [data, 'offline', 'victim'],
    {
      ...limited,
      onLine: (line) => {
        heard++
        ledger.hear(line)
      },
    },
  )
  await within('the replica is open', replica.first)
  let isFull = false
  void replica.ended.then(() => (isFull = true))
  await until('the replica has no more room', () => isFull || heard > 10_000)
  await replica.stop('SIGKILL')
  expect(ledger.counts.saved).toBeGreaterThan(0)
  return { data, ledger, log: await tornLog(data) }
}

/** The log that was cut off where the limit is. */
async function tornLog(data: string): Promise<string> {
  const database = path.join(data, 'db')
  for (const name of await readdir(database))
    if (name.endsWith('.log') && (await stat(path.join(database, name))).size === bytesMax) return name
  throw new Error(`no log in ${data} ends where the limit is`)
}

function cutIn({ isClosedInOrder, batchesLost, logFaults }: FolderFinding, file: string) {
  expect({ isClosedInOrder, batchesLost }).toEqual({ isClosedInOrder: false, batchesLost: 0 })
  expect(logFaults).toMatchObject([{ kind: 'cut', file, how: 'short', mayHold: 'nothing', kept: null }])
  const [cut] = logFaults
  if (cut?.kind !== 'cut') throw new Error('there is one')
  expect(cut.at + cut.bytes).toBe(bytesMax)
  return cut
}
