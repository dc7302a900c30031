// The camera, where the browser gives it to the page.

const SIDE = 640; // pixels that are asked for, roughly

// Why there is no camera, in a sentence, or null where there may be one.
function whyNoCamera() {
  if (navigator.mediaDevices?.getUserMedia) return null;
  const file = location.protocol === "file:";
  return (
    `This browser gives no camera to a page that ${file ? "is opened as a file" : "does not come over https"}. ` +
    "On a phone, “Choose a picture” can take a photo all the same."
  );
}

function cameraProblem(error) {
  const told = {
    NotAllowedError: "The camera was not allowed. Allow it for this page in the browser's settings, or choose a picture.",
    NotFoundError: "No camera was found.",
    NotReadableError: "The camera is used by another program.",
  };
  return told[error.name] ?? `The camera does not start: ${error.message}`;
}

class Camera {
  constructor(video) {
    Object.assign(this, { video, stream: null });
  }

  get isOn() {
    return this.stream !== null;
  }

  async start() {
    this.stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: "environment", width: { ideal: SIDE }, height: { ideal: (SIDE * 3) / 4 } },
    });
    this.video.srcObject = this.stream;
    await this.video.play();
  }

  stop() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.video.srcObject = this.stream = null;
  }

  // The picture that the camera shows now, null where there is none yet.
  frame() {
    const { videoWidth, videoHeight } = this.video;
    return videoWidth ? plainOf(pixelsOf(this.video, videoWidth, videoHeight)) : null;
  }
}
