// An address of the lab as the lab itself would write it.

// Rooms watch the sizes of their pictures as soon as there are any; there are none here.
globalThis.ResizeObserver ??= class {
  observe() {}
};

const WEB = "../../striate/lab/web/core";
const { address, parsed } = await import(`${WEB}/address.js`);
const { readState } = await import(`${WEB}/fields.js`);
const { ROOMS } = await import(`${WEB}/rooms.js`);

/** @param {string} hash */
export function canonical(hash) {
  const { id, told } = parsed(hash);
  const room = ROOMS.find((one) => one.id === id);
  return room ? address(room, readState(room.fields, told)) : null;
}
