// What is noted in a browser of its replicas: whatever becomes of the notes, the replica works.
import { describe, expect, test } from 'vitest'
import { witnessBook } from '../src/browser/witness-book.ts'
import type { NoteStorage } from '../src/browser/platform.ts'

const id = 'replica-of-22-letters_'.replace(/_$/, 'A')

class Notes extends Map<string, string> implements NoteStorage {
  writes = 0
  getItem(key: string): string | null {
    return this.get(key) ?? null
  }
  setItem(key: string, value: string): void {
    this.writes += 1
    this.set(key, value)
  }
}

/** A replica as the book sees it. */
function replicaOf(pending: number) {
  const listeners: ((status: never) => void)[] = []
  return {
    id,
    namespace: 'home',
    status: { pending } as never,
    onStatus: (listener: (status: never) => void) => {
      listeners.push(listener)
      return () => {}
    },
    tell: (now: number) => listeners.forEach((listener) => listener({ pending: now } as never)),
  }
}

describe('the witness of a replica', () => {
  test('is noted when it is followed, and whenever another number waits', () => {
    const notes = new Notes()
    const book = witnessBook(notes, 'shop')
    expect(book.read('home')).toBe(null)
    const replica = replicaOf(0)
    book.follow(replica)
    expect(book.read('home')).toEqual({ replica: id, pending: 0 })
    replica.tell(2)
    replica.tell(2)
    expect(book.read('home')).toEqual({ replica: id, pending: 2 })
    expect(notes.writes).toBe(2)
    expect([...notes.keys()]).toEqual(['rejoin:shop:home'])
    expect(book.read('other')).toBe(null)
    expect(witnessBook(notes, 'shop2').read('home')).toBe(null)
  })

  test.each(['', '{', 'null', '7', '{}', '{"replica":"x","pending":1}', `{"replica":"${id}","pending":-1}`])(
    'is none where somebody has written something else: %j',
    (text) => {
      const notes = new Notes([['rejoin:shop:home', text]])
      expect(witnessBook(notes, 'shop').read('home')).toBe(null)
    },
  )

  test('is none where notes cannot be kept', () => {
    const refuse = (): never => {
      throw new Error('SecurityError')
    }
    const book = witnessBook({ getItem: refuse, setItem: refuse }, 'shop')
    expect(book.read('home')).toBe(null)
    expect(() => book.follow(replicaOf(1))).not.toThrow()
  })
})
