// `rejoin hub --limit`: whose limit each name is, and what is no limit.
import { Command } from 'commander'
import { expect, test } from 'vitest'
import { hubLimits, withLimits, type LimitOptions } from '../src/cli/limit-options.ts'

function parsed(...limits: string[]): ReturnType<typeof hubLimits> {
  const command = withLimits(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  command.parse(
    limits.flatMap((limit) => ['--limit', limit]),
    { from: 'user' },
  )
  return hubLimits(command.opts<LimitOptions>().limit)
}

test('a document\u2019s bytes and replicas go to the hub, the others to its server', () => {
  expect(parsed()).toEqual({ peerLimits: {} })
  expect(parsed('documentBytes=1000000', 'connections=5', 'commits=10/20')).toEqual({
    peerLimits: { connections: 5, commits: { perSecond: 10, burst: 20 } },
    documentBytesMax: 1_000_000,
  })
  expect(parsed('replicas=7')).toEqual({ peerLimits: {}, replicaLimits: { replicasMax: 7 } })
  expect(parsed('replicas=7', 'replicasPerPrincipal=3')).toEqual({
    peerLimits: {},
    replicaLimits: { replicasMax: 7, replicasPerPrincipalMax: 3 },
  })
})

test.each(['documentBytes=1/2', 'documentBytes', 'commits=5', 'constructor=5', 'bytesOfDocument=5'])(
  '%s is none',
  (limit) => {
    expect(() => parsed(limit)).toThrow(/documentBytes=134217728/)
  },
)
