// The `depd` package: deprecation notes, which need the call sites of V8. Said once per text, without a place.
const said = new Set();

module.exports = function depd(namespace) {
  const deprecate = (message) => {
    const text = `${namespace} deprecated ${message}`;
    if (said.has(text)) return;
    said.add(text);
    console.error(text);
  };
  deprecate.function = (wrapped) => wrapped;
  deprecate.property = () => {};
  return deprecate;
};
