"""What a video is: shots, colours, camera, pace and sound, measured from its own pictures and samples.

Nothing here knows Django or the rest of the project. `measurement` is the door.
"""
