// The command as a new user meets it: two replicas with folders of their own, one hub, real processes and a real disk.
import { cp, readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { samplePack, startRejoin, withFolder, withHub } from '../support/command.ts'
import { rejoin, rejoinJson } from '../support/command-here.ts'

interface SyncReport {
  pulled: number
  applied: number
  pushed: number
  path: string
  bytesUp: number
  bytesDown: number
}

const support = (data: string): string[] => ['--data', data, '--namespace', 'support']

test('a pack is imported, travels through a hub, is edited on both sides, conflicts, is settled and exported', async () => {
  await withFolder(async (folder) => {
    const [laptop, phone] = [path.join(folder, 'laptop'), path.join(folder, 'phone')]
    await withHub(path.join(folder, 'hub'), async (hub) => {
      const sync = (data: string): Promise<SyncReport> => rejoinJson(['sync', ...support(data), '--hub', hub])
      const imported: { commits: number; intents: number } = await rejoinJson([
        'import',
        ...support(laptop),
        samplePack,
      ])
      expect(imported.commits).toBeGreaterThan(0)
      expect(await sync(laptop)).toMatchObject({ pushed: imported.commits })
      expect(await sync(phone)).toMatchObject({
        pulled: imported.commits,
        applied: imported.commits,
        pushed: 0,
      })
      const quiet = await sync(phone)
      expect(quiet).toMatchObject({ pulled: 0, applied: 0, pushed: 0, path: 'live' })

      const edit = (name: string): string =>
        JSON.stringify({ type: 'NamespaceMetadataUpdated', edit: { name } })
      await rejoinJson(['apply', ...support(laptop)], edit('from the laptop'))
      await rejoinJson(['apply', ...support(phone)], edit('from the phone'))
      expect(await rejoinJson(['status', ...support(phone)])).toMatchObject({ pending: 1, conflicts: 0 })
      await sync(laptop)
      expect(await sync(phone)).toMatchObject({ path: 'tail', pulled: 2, applied: 1, pushed: 1 })
      await sync(laptop)

      const conflicts: { id: string; choices: { value: string }[] }[] = await rejoinJson([
        'conflicts',
        'list',
        ...support(laptop),
      ])
      expect(conflicts).toEqual(await rejoinJson(['conflicts', 'list', ...support(phone)]))
      expect(conflicts).toHaveLength(1)
      expect(conflicts[0]?.choices.map(({ value }) => value).sort()).toEqual([
        'from the laptop',
        'from the phone',
      ])
      await rejoinJson([
        'conflicts',
        'resolve',
        ...support(laptop),
        '--id',
        conflicts[0]?.id ?? '',
        '--choose',
        '2',
      ])
      await sync(laptop)
      await sync(phone)
      expect(await rejoinJson(['conflicts', 'list', ...support(phone)])).toEqual([])

      const digests = [laptop, phone].map(
        (data) => rejoinJson(['digest', ...support(data)]) as Promise<{ digest: string }>,
      )
      const [a, b] = await Promise.all(digests)
      expect(a?.digest).toMatch(/^[0-9a-f]{64}$/)
      expect(a?.digest).toBe(b?.digest)

      expect(await rejoinJson(['resolve', ...support(phone), 'hello'])).toEqual(
        await rejoinJson(['resolve', ...support(laptop), 'hello']),
      )
    })
    expect(await rejoinJson(['verify', '--data', path.join(folder, 'hub')])).toMatchObject([
      { namespace: 'support', faults: [] },
    ])
  })
})

test('an exported pack is the pack that was imported', async () => {
  await withFolder(async (folder) => {
    const laptop = path.join(folder, 'laptop')
    const out = path.join(folder, 'out')
    await rejoinJson(['import', ...support(laptop), samplePack])
    await rejoinJson(['export', ...support(laptop), '--out', out])
    expect(await packOf(out)).toEqual(await packOf(samplePack))
    const again = await rejoin(['export', ...support(laptop), '--out', out])
    expect(again.code).toBe(1)
    expect(again.stderr).toContain('is not empty')
  })
})

test('a hub stops cleanly on Ctrl-C, and says that its port is in use or its folder is locked', async () => {
  await withFolder(async (folder) => {
    const hub = await startRejoin(['hub', '--data', path.join(folder, 'a'), '--port', '0'])
    const port = new URL(hub.first).port
    const taken = await rejoin(['hub', '--data', path.join(folder, 'b'), '--port', port])
    expect(taken).toMatchObject({ code: 1 })
    expect(taken.stderr).toMatch(/\[PORT_IN_USE\]\n$/)
    const locked = await rejoin(['hub', '--data', path.join(folder, 'a'), '--port', '0'])
    expect(locked).toMatchObject({ code: 1 })
    expect(locked.stderr).toMatch(/\[STORE_LOCKED\]\n$/)
    expect(await hub.stop('SIGINT')).toBe(0)
  })
})

test('an unreachable hub is one clear line, and the status remembers it', async () => {
  await withFolder(async (folder) => {
    const phone = path.join(folder, 'phone')
    const { code, stderr } = await rejoin(['sync', ...support(phone), '--hub', 'http://127.0.0.1:9'])
    expect(code).toBe(1)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(stderr).toContain('[HUB_UNREACHABLE]')
    expect(await rejoinJson(['status', ...support(phone)])).toMatchObject({
      lastError: { code: 'HUB_UNREACHABLE' },
    })
  })
})

test("a folder that is not Rejoin's is refused and left as it is", async () => {
  await withFolder(async (folder) => {
    const photos = path.join(folder, 'photos')
    await cp(samplePack, photos, { recursive: true })
    const before = await packOf(photos)
    for (const args of [
      ['status', ...support(photos)],
      ['hub', '--data', photos, '--port', '0'],
    ]) {
      const { code, stderr } = await rejoin(args)
      expect(code).toBe(1)
      expect(stderr).toContain('[FOLDER_FOREIGN]')
    }
    expect(await packOf(photos)).toEqual(before)
  })
})

test('wrong use exits with 2 and says how to ask for help', async () => {
  for (const args of [
    ['sync'],
    ['nonsense'],
    ['hub', '--data', 'x', '--port', 'many'],
    ['status', '--data', 'x', '--namespace', 'A b'],
  ]) {
    const { code, stderr } = await rejoin(args)
    expect(code).toBe(2)
    expect(stderr).toContain('--help')
  }
})

test('every command has help with an example', async () => {
  const { stdout } = await rejoin(['--help'])
  const commands = [...stdout.matchAll(/^ {2}([a-z]+)(?: .*)?$/gm)]
    .map(([, name]) => name ?? '')
    .filter((name) => name !== 'help')
  expect(commands.length).toBeGreaterThan(12)
  const groups: Record<string, readonly string[]> = {
    conflicts: ['list', 'resolve'],
    outbox: ['list', 'withdraw'],
    rejected: ['list', 'discard', 'resubmit'],
  }
  for (const command of commands) {
    for (const part of groups[command] ?? [null]) {
      const { code, stdout: help } = await rejoin([command, ...(part === null ? [] : [part]), '--help'])
      expect(code).toBe(0)
      expect(help).toMatch(/^Examples?:/m)
    }
  }
})

async function packOf(folder: string): Promise<Record<string, unknown>> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true })
  const json = files.filter((file) => file.isFile() && file.name.endsWith('.json'))
  const entries = json.map(async (file) => {
    const full = path.join(file.parentPath, file.name)
    return [path.relative(folder, full), JSON.parse(await readFile(full, 'utf8')) as unknown] as const
  })
  return Object.fromEntries((await Promise.all(entries)).sort(([a], [b]) => (a < b ? -1 : 1)))
}
