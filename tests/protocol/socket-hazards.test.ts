// Every row of part 4 of the hazards (G: sockets, HTTP, sign-in, abuse) has a test that strikes with it, named here.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { checkout } from '../support/command.ts'

const ROWS = 16

type Kept = readonly [file: string, ...says: string[]]

const kept: Readonly<Record<string, readonly Kept[]>> = {
  'G1 a foreign origin': [
    ['packages/transport/test/server.test.ts', 'a foreign name for loopback is no way in'],
    [
      'packages/transport/test/sign-in.test.ts',
      'a foreign origin does not come so far',
      'cookies reach nobody, and whoever names no origin has to show a token',
    ],
  ],
  'G2 silence before signing in': [
    [
      'packages/transport/test/sign-in.test.ts',
      'a socket that says nothing is closed after its time, and one that only pings too',
      'what is larger than a token may be is cut off while it comes in',
    ],
    ['tests/hostile/slow-and-many.test.ts', 'silent and unsigned sockets are let go'],
  ],
  'G3 giant frames': [
    ['tests/hostile/frames.test.ts', 'a frame of 64 MiB is closed before it is taken in'],
    [
      'packages/transport/test/connection.test.ts',
      'a message that takes too long',
      'fragments that are altered',
    ],
    ['tests/hostile/slow-and-many.test.ts', 'messages that never come whole'],
  ],
  'G4 crumbs and pings': [
    ['tests/hostile/frames.test.ts', '400,000 fragments of one byte', '500,000 pings and reads nothing'],
    ['packages/transport/test/server.test.ts', '100,000 tiny fragments of ours'],
  ],
  'G5 inflation': [
    ['tests/hostile/frames.test.ts', 'compressed frames nobody agreed on'],
    ['tests/hostile/slow-and-many.test.ts', 'that is compressed is not unpacked'],
    ['packages/transport/test/unpacking.test.ts', 'bytes come back, and never more than allowed'],
  ],
  'G6 slow readers': [
    ['tests/hostile/slow-and-many.test.ts', 'sixty live sockets', 'sixty plain Yjs sockets'],
    ['packages/hub/test/slow-reader.test.ts', 'stops reading while 100,000 commits are written'],
    ['packages/hub/test/session.test.ts', 'a reader that takes nothing is closed in time'],
  ],
  'G7 floods of connections': [
    ['tests/hostile/slow-and-many.test.ts', '2,000 connections of one principal, and of many at one address'],
  ],
  'G8 floods of messages': [
    [
      'tests/hostile/slow-and-many.test.ts',
      'one floods with frames of each kind, while ten who mean no harm go on',
    ],
    ['packages/transport/test/rates.test.ts', 'commits are refused one by one, the hub sees none of them'],
  ],
  'G9 edges of HTTP': [
    [
      'tests/hostile/slow-and-many.test.ts',
      'that announces 10 GB is refused before any of them',
      'in chunks without end is cut off',
      'half handshakes, half requests',
      'that is no HTTP, or has a head without end',
    ],
    ['tests/limits/sockets.test.ts', 'lets go of %s that never comes whole'],
  ],
  'G10 tokens': [
    [
      'packages/rejoin/test/auth/tokens.test.ts',
      'there are at least 40 of them',
      'a dead issuer keeps nobody out',
    ],
  ],
  'G11 expiry on live sockets': [
    ['packages/transport/test/sign-in.test.ts', 'with status 4401'],
    ['packages/transport/test/renewal.test.ts', 'it goes on by a fresh one'],
    [
      'tests/sign-in/live.test.ts',
      'it ends amid commits under way',
      'a revoked key ends the live session within seconds',
    ],
  ],
  'G12 scopes': [
    ['tests/sign-in/roles.test.ts', 'a reader of everything who writes support', '`by ${transport}: %s`'],
    ['tests/sign-in/paths.test.ts', "'support-reader'"],
    ['tests/hostile-bytes/every-transport.test.ts', 'and of who may only read each is refused as such'],
  ],
  'G13 ids of namespaces': [
    ['tests/sign-in/namespaces.test.ts', 'what is no name is refused with NAMESPACE_INVALID or as malformed'],
  ],
  'G14 comparisons and secrets': [
    ['packages/rejoin/test/auth/keys.test.ts', 'is compared in constant time'],
    ['tests/sign-in/command.test.ts', 'no secret is printed, logged, stored or shown in a list of processes'],
  ],
  'G15 what errors tell': [
    ['tests/sign-in/namespaces.test.ts', 'not.toContain(hubFolder)'],
    ['packages/transport/test/server.test.ts', 'an authentication that fails by itself tells nobody why'],
    ['packages/transport/test/connection.test.ts', 'without telling what it was'],
  ],
  'G16 TLS': [
    ['tests/sign-in/tls.test.ts', 'beyond loopback a hub needs both keys and TLS, or a proxy that has it'],
  ],
}

test('every row is here', () => {
  const rows = Object.keys(kept).map((name) => name.split(' ')[0])
  expect(rows).toEqual(Array.from({ length: ROWS }, (_, i) => `G${i + 1}`))
})

test.each(Object.entries(kept))('%s is kept', (_, tests) => {
  for (const [file, ...says] of tests) {
    const source = readFileSync(path.join(checkout, file), 'utf8')
    expect([file, says.filter((each) => !source.includes(each))]).toEqual([file, []])
  }
})
