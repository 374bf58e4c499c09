/** The `Crdt` port on Yjs: documents, awareness and the hub's view of bytes behind one value. */
import type { Crdt } from '@rejoin/core'
import { YjsAwareness } from './awareness.ts'
import { YjsDocument } from './document.ts'
import { yjsUpdates } from './updates.ts'

export const yjsCrdt: Crdt = {
  open: (clientId, updates) => {
    const document = new YjsDocument(clientId)
    try {
      document.apply(updates)
    } catch (error) {
      document.destroy()
      throw error
    }
    return document
  },
  awareness: (clientId) => new YjsAwareness(clientId),
  updates: yjsUpdates,
}
