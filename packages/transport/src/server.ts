/** The door `@rejoin/transport/server`, for Node: one port that serves a hub's channels by WebSocket and by HTTP. */
export { serveHub, type HubServer, type ServeHubOptions } from './server/serve.ts'
export { type Authenticate, type HubRequest } from './server/gate.ts'
export { type ServerEvent, type ServerLog } from './server/log.ts'
