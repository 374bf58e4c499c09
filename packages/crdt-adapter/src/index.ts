/** The door of `@rejoin/crdt-adapter`: Rejoin documents on Yjs. */
export { yjsCrdt } from './crdt.ts'
export { digestOf } from './digest.ts'
export { wrapDocument, type WrappedDocument } from './wrap.ts'
export { tablesOf, type DocumentTables } from './tables-of.ts'
