/** Loaded before a peer that listens on every address and has no option for it: it listens on 127.0.0.1 instead. */
import { Server } from 'node:net';

type Listen = (this: Server, ...args: unknown[]) => Server;

const listen = Reflect.get(Server.prototype, 'listen') as Listen;

const listenOnLoopback: Listen = function (...args) {
  const [port, host, ...rest] = args;
  if (typeof port === 'number' && typeof host !== 'string') {
    return listen.call(this, port, '127.0.0.1', ...(typeof host === 'function' ? [host] : rest));
  }
  return listen.apply(this, args);
};

Server.prototype.listen = listenOnLoopback as typeof Server.prototype.listen;
