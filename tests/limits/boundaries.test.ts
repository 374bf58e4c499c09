// [14] At each limit one below and at it passes, and one above is refused with its code.
import { expect, test } from 'vitest'
import { canonicalValue, checkKey, checkNamespace, limits, SyncError, type UpMessage } from '@rejoin/core'
import { decodeUp, encodeUp } from '@rejoin/transport'
import { VirtualClock } from '@rejoin/testkit'
import { checkOps } from '../../packages/core/src/domain/planning.ts'
import { checkSize } from '../../packages/hub/src/admission.ts'
import { Reassembly } from '../../packages/transport/src/assembly.ts'
import { decodeFrame, encodeFrame } from '../../packages/transport/src/frames.ts'
import { BODY_BYTES_MAX } from '../../packages/transport/src/frame-stream.ts'
import { checkAnnounced } from '../../packages/transport/src/server/body.ts'
import { tokenOf } from '../../packages/transport/src/server/credentials.ts'
import { intents } from 'rejoin'

interface Bound {
  readonly max: number
  readonly code: string
  readonly use: (size: number) => unknown
}

const hash = new Uint8Array(8)

function pushOf(commits: number): UpMessage {
  return {
    type: 'Push',
    epoch: null,
    commits: Array.from({ length: commits }, (_, i) => ({
      counter: i + 1,
      prev: i,
      hlc: '00000000000000' as never,
      domainVersion: 1,
      ops: [{ type: 'Noted' }],
      update: new Uint8Array(1),
    })),
  }
}

function nested(levels: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = [value]
  return value
}

const bounds: Readonly<Record<string, Bound>> = {
  'a namespace’s name': {
    max: limits.namespaceCharsMax,
    code: 'NAMESPACE_INVALID',
    use: (size) => checkNamespace('a'.repeat(size)),
  },
  'a key, all its parts together': {
    max: limits.keyBytesMax,
    code: 'KEY_INVALID',
    use: (size) => checkKey(['ä', 'a'.repeat(size - 2)]),
  },
  'a value, its quotes counted': {
    max: limits.valueBytesMax,
    code: 'VALUE_INVALID',
    use: (size) => canonicalValue('a'.repeat(size - 2)),
  },
  'the levels of a value': {
    max: limits.valueDepthMax,
    code: 'VALUE_INVALID',
    use: (size) => canonicalValue(nested(size)),
  },
  'the ops of a commit': {
    max: limits.commitOpsMax,
    code: 'COMMIT_TOO_LARGE',
    use: (size) => {
      const op = { type: 'IntentRemoved', id: 'a' }
      return checkOps(intents, Array<typeof op>(size).fill(op), 1)
    },
  },
  'the bytes of a commit': { max: limits.commitBytesMax, code: 'COMMIT_TOO_LARGE', use: checkSize },
  'the commits of a push': {
    max: limits.pushCommitsMax,
    code: 'MESSAGE_MALFORMED',
    use: (size) => decodeUp(encodeUp(pushOf(size))),
  },
  'an awareness update': {
    max: limits.awarenessBytesMax,
    code: 'MESSAGE_MALFORMED',
    use: (size) => decodeUp(encodeUp({ type: 'Awareness', update: new Uint8Array(size) })),
  },
  'a frame': {
    max: limits.frameBytesMax,
    code: 'MESSAGE_TOO_LARGE',
    use: (size) => decodeFrame(encodeFrame({ kind: 'whole', channel: 1, payload: new Uint8Array(size - 2) })),
  },
  'a message in fragments': {
    max: limits.messageUpBytesMax,
    code: 'MESSAGE_TOO_LARGE',
    use: (total) => {
      const payload = new Uint8Array(4_096)
      const late = (): void => {}
      return new Reassembly(new VirtualClock(1), limits.messageUpBytesMax, late).add({
        kind: 'first',
        channel: 1,
        total,
        hash,
        payload,
      })
    },
  },
  'a request’s body': {
    max: BODY_BYTES_MAX,
    code: 'MESSAGE_TOO_LARGE',
    use: (size) => checkAnnounced(size, BODY_BYTES_MAX),
  },
  'a token': {
    max: limits.tokenCharsMax,
    code: 'UNAUTHENTICATED',
    use: (size) => {
      if (tokenOf(new Headers({ authorization: `Bearer ${'a'.repeat(size)}` })) === null)
        throw new SyncError('UNAUTHENTICATED', 'none')
    },
  },
}

test.each(Object.entries(bounds))('[14] %s', (_, { max, code, use }) => {
  expect([max - 1, max, max + 1].map((size) => codeOf(() => use(size)))).toEqual(['passes', 'passes', code])
})

function codeOf(act: () => unknown): string {
  try {
    act()
    return 'passes'
  } catch (error) {
    if (error instanceof SyncError) return error.code
    throw error
  }
}
