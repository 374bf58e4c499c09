// What reaches a browser: nothing of `ws`, nothing of Node; and the platform's WebSocket carries channels as `ws` does.
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { build, defaultClientConditions, defaultServerConditions } from 'vite'
import { WebSocket } from 'ws'
import { channelSuite, VirtualClock } from '@rejoin/testkit'
import { replicaConnection } from '../src/index.ts'
import { openWebSocket } from '../src/websocket-browser.ts'
import { Arrivals, fixtureOf, never, serve } from './fixtures.ts'

const door = path.resolve(import.meta.dirname, '../src/index.ts')

describe('a browser bundle', () => {
  test('holds nothing of ws and nothing of Node', async () => {
    const { code, modules } = await bundle(defaultClientConditions)
    expect(modules).toContainEqual(expect.stringMatching(/websocket-browser\.ts$/))
    expect(
      modules.filter((id) => /(websocket|sha256|zlib)-node|node_modules\/(ws|hono|@hono)\/|^node:/.test(id)),
    ).toEqual([])
    expect(code).not.toMatch(/sec-websocket|permessage-deflate|node:|require\(/i)
    expect(code).toContain('rejoin.1')
  })

  test('without the condition of browsers would hold ws: so the check above can fail', async () => {
    const { code, modules } = await bundle(defaultServerConditions)
    expect(modules).toContainEqual(expect.stringMatching(/node_modules\/ws\//))
    expect(code).toMatch(/sec-websocket/i)
  })
})

async function bundle(conditions: readonly string[]): Promise<{ code: string; modules: string[] }> {
  const built = await build({
    configFile: false,
    logLevel: 'silent',
    resolve: { conditions: ['@rejoin/source', ...conditions] },
    build: {
      write: false,
      minify: false,
      lib: { entry: door, formats: ['es'] },
      rolldownOptions: {
        external: (id) =>
          conditions === defaultServerConditions && /^(node:|[a-z]+$)/.test(id) && !id.startsWith('ws'),
      },
    },
  })
  const outputs = Array.isArray(built) ? built : 'output' in built ? [built] : []
  const chunks = outputs.flatMap(({ output }) => output).filter((part) => part.type === 'chunk')
  return {
    code: chunks.map((chunk) => chunk.code).join('\n'),
    modules: chunks.flatMap((chunk) => chunk.moduleIds),
  }
}

describe("by the platform's WebSocket", () => {
  // `ws` offers the same interface as a browser, so a real socket stands in for it here.
  beforeAll(() => void Reflect.set(globalThis, 'WebSocket', WebSocket))
  afterAll(() => void Reflect.deleteProperty(globalThis, 'WebSocket'))

  channelSuite({
    test,
    connect: async () => {
      const arrivals = new Arrivals()
      const server = await serve({ accept: arrivals.accept })
      const url = new URL('/v1/live', server.url.replace('http', 'ws'))
      const socket = await openWebSocket(url, { headers: {}, subprotocols: [], signal: never() })
      const connection = replicaConnection(socket, new VirtualClock(1))
      return fixtureOf(
        arrivals,
        async () => connection.open(),
        async () => {
          connection.close({ code: null, message: 'done' })
          await server.close()
        },
      )
    },
  })

  test('a hub that does not answer is unreachable', async () => {
    const server = await serve()
    await server.close()
    const url = new URL('/v1/live', server.url.replace('http', 'ws'))
    await expect(
      openWebSocket(url, { headers: {}, subprotocols: [], signal: never() }),
    ).rejects.toMatchObject({
      code: 'HUB_UNREACHABLE',
    })
  })
})
