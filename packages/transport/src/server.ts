/** The door `@rejoin/transport/server`, for Node: one port that serves a hub's channels by WebSocket and by HTTP. */
export { serveHub } from './server/serve.ts'
export { type HubServer, type ServeHubOptions } from './server/serve-options.ts'
export { type Authenticate, type HubRequest } from './server/gate.ts'
export { type ServerEvent, type ServerLog } from './server/log.ts'
export { type PeerLimits } from './server/peers.ts'
export { type Rate } from './server/rates.ts'
export { tokenOf } from './server/credentials.ts'
export { type RouteRequest, type Routes } from './server/routes.ts'
