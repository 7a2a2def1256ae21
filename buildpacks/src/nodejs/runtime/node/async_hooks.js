// node:async_hooks. A wasm instance serves one request at a time, so one current store per storage is enough, and it is not
// lost over an await.
export class AsyncResource {
  constructor(type) { this.type = type; }
  runInAsyncScope(callback, receiver, ...values) { return callback.apply(receiver, values); }
  bind(callback) { return callback; }
  static bind(callback) { return callback; }
  emitDestroy() { return this; }
  asyncId() { return 1; }
  triggerAsyncId() { return 0; }
}

export class AsyncLocalStorage {
  #store;
  run(store, callback, ...values) {
    const previous = this.#store;
    this.#store = store;
    const restore = () => { this.#store = previous; };
    let result;
    try {
      result = callback(...values);
    } catch (error) {
      restore();
      throw error;
    }
    if (typeof result?.then === 'function') return result.then((value) => (restore(), value), (error) => { restore(); throw error; });
    return result;
  }
  exit(callback, ...values) { return this.run(undefined, callback, ...values); }
  getStore() { return this.#store; }
  enterWith(store) { this.#store = store; }
  disable() { this.#store = undefined; }
  static bind(callback) { return callback; }
  static snapshot() { return (callback, ...values) => callback(...values); }
}

export const createHook = () => ({ enable() { return this; }, disable() { return this; } });
export const executionAsyncId = () => 1;
export const triggerAsyncId = () => 0;
export const executionAsyncResource = () => ({});
export default { AsyncResource, AsyncLocalStorage, createHook, executionAsyncId, triggerAsyncId, executionAsyncResource };
