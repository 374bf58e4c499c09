/** The door of `@rejoin/transport`: everything that runs in a browser too. The server side is behind `./server`. */
export { decodeDown, decodeUp, encodeDown, encodeUp } from './codec/codec.ts'
export { type Connection } from './connection.ts'
export { hubConnection, replicaConnection, type ConnectionHooks } from './sides.ts'
export { httpBatch, httpDialer, type Fetch, type HttpBatch, type HttpDialerOptions } from './http.ts'
export {
  memoryConnection,
  memoryDial,
  type Direction,
  type MemoryConnection,
  type MemoryHub,
  type MemoryWire,
} from './memory.ts'
export { type Socket, type SocketHandler } from './socket.ts'
export { type TokenSource } from './token.ts'
export { webSocketDialer, type Dialer, type WebSocketDialerOptions } from './websocket.ts'
