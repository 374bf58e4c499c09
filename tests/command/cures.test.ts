// What is said of folders that are damaged, in use or of another kind: whose they are, and a cure that is possible.
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { expect, test } from 'vitest'
import { intents, openClient, startHub, type RunningHub } from 'rejoin'
import { withFolder } from '../support/command.ts'
import { rejoin, rejoinJson } from '../support/command-here.ts'
import { flipValue, hubKey, keysIn } from '../support/strike.ts'
import { until } from '../support/until.ts'

test('a damaged marker beside a database is told from a folder that is not ours, and written anew by repair', async () => {
  await withWorld(async ({ hub, laptop }) => {
    for (const data of [hub, laptop]) {
      const marker = path.join(data, 'rejoin.json')
      const bytes = await readFile(marker)
      bytes[3] = (bytes[3] ?? 0) ^ 4
      await writeFile(marker, bytes)
      const commands = [['verify', '--data', data]]
      if (data === hub)
        commands.push(['hub', '--data', data, '--port', '0'], ['keys', 'list', '--data', data])
      for (const args of commands) {
        const { code, stderr } = await rejoin(args)
        expect(code).toBe(1)
        expect(stderr).toMatch(/has a damaged rejoin\.json.* restore .*\[STORE_CORRUPT\]/)
      }
      expect((await rejoin(['repair', '--data', data])).code).toBe(0)
      expect(await readFile(`${marker}.damaged`)).toEqual(bytes)
      expect((await rejoin(['verify', '--data', data])).code).toBe(0)
    }
    // Without a database it is anybody's file.
    const other = path.join(path.dirname(hub), 'other')
    await writeFile(path.join(path.dirname(hub), 'rejoin.json'), '{}')
    expect((await rejoin(['verify', '--data', path.dirname(other)])).stderr).toMatch(/FOLDER_FOREIGN/)
  })
})

test('a folder that is in use names what is possible', async () => {
  await withWorld(async ({ hub }) => {
    await withRunning(hub, async () => {
      for (const command of ['verify', 'repair', 'checkpoint']) {
        const { stderr } = await rejoin([command, '--data', hub])
        expect(stderr).toMatch(/stop the other one first; .*rejoin backup.* \[STORE_LOCKED\]/)
      }
    })
  })
})

test('a damaged replica is told of repair, and of a damaged hub a replica reads that it is the hub', async () => {
  await withWorld(async ({ hub, laptop }) => {
    await flipValue(hub, hubKey('record', 'support', 1))
    await withRunning(hub, async ({ url }) => {
      const phone = path.join(path.dirname(hub), 'phone')
      const { code, stderr } = await rejoin(['sync', ...support(phone), '--hub', url])
      expect(code).toBe(1)
      expect(stderr).toMatch(
        /the hub is damaged, and this replica is not: .*; tell whoever runs the hub \[STORE_CORRUPT\]/,
      )
      expect(stderr).not.toContain('rejoin repair')
    })
    // Who runs it need not be told so.
    for (const command of ['verify', 'repair']) {
      const { stdout } = await rejoin([command, '--data', hub])
      expect(stdout).toMatch(/hub!record!support!0+1 does not match its checksum$/m)
      expect(stdout).not.toContain('`rejoin verify`')
    }
    const [base] = [
      ...(await keysIn(laptop, 'replica!snapshot!support')),
      ...(await keysIn(laptop, 'replica!update!support')),
    ]
    await flipValue(laptop, base ?? '')
    const { stderr } = await rejoin(['status', ...support(laptop)])
    expect(stderr).toMatch(/`rejoin repair` restores what can be restored/)
    expect(stderr).not.toMatch(/backup|the hub is damaged/)
  })
})

test('verify adds no fault that follows from marks that cannot be read', async () => {
  await withWorld(async ({ hub, laptop }) => {
    await rejoinJson(['checkpoint', '--data', hub, '--retention-commits', '1'])
    await withRunning(hub, async ({ url }) => {
      await write(laptop, url, 2)
    })
    const [marks] = await keysIn(hub, 'hub!marks!support')
    await flipValue(hub, marks ?? '')
    const { stdout } = await rejoin(['verify', '--data', hub])
    expect(stdout).toMatch(/^support: 1 FAULT; /)
    expect(stdout).not.toMatch(/came before it/)
  })
})

test('a backup takes no keys, and is not served, whatever listens on the port', async () => {
  await withWorld(async ({ hub }) => {
    const backup = path.join(path.dirname(hub), 'backup')
    await rejoinJson(['backup', '--data', hub, '--out', backup])
    const key = ['keys', 'add', '--data', backup, '--name', 'laptop', '--scope', 'write:support']
    expect((await rejoin(key)).stderr).toMatch(/is a backup of a hub: restore it .*FOLDER_FOREIGN/)
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    // A server that listens on a port has an address of this form.
    const { port } = other.address() as AddressInfo
    const served = await rejoin(['hub', '--data', backup, '--port', `${port}`])
    expect(served.stderr).toMatch(/is a backup of a hub: restore it .*FOLDER_FOREIGN/)
    await new Promise((resolve) => other.close(resolve))
  })
})

test('restore says of its folder that it must be new', async () => {
  const { stdout } = await rejoin(['restore', '--help'])
  expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(
    /--data <dir> data folder of the hub that is made; nothing may be there yet/,
  )
})

interface World {
  readonly hub: string
  readonly laptop: string
}

async function withWorld(use: (world: World) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const [hub, laptop] = [path.join(folder, 'hub'), path.join(folder, 'laptop')]
    await withRunning(hub, ({ url }) => write(laptop, url, 2))
    await use({ hub, laptop })
  })
}

async function withRunning(data: string, use: (hub: RunningHub) => Promise<void>): Promise<void> {
  const hub = await startHub({ data, domains: [intents], port: 0 })
  try {
    await use(hub)
  } finally {
    await hub.close()
  }
}

let made = 0

async function write(data: string, hub: string, count: number): Promise<void> {
  const client = await openClient({ data, hub })
  try {
    const replica = await client.open(intents, 'support')
    await replica.syncOnce()
    for (let i = 0; i < count; i++) {
      const id = `i-${made++}`
      await replica.apply({ type: 'IntentAdded', id, phrasesByLang: {} }).acked
    }
    await until('nothing waits', () => replica.status.pending === 0)
  } finally {
    await client.close()
  }
}

function support(data: string): string[] {
  return ['--data', data, '--namespace', 'support']
}
