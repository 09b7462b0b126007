"""Clips kept as folders of frames: the same clip as a lossless video of them, and broken ones."""
import cv2
import numpy as np
import pytest
from PIL import Image

from mmbt.datasets import ReadFrames, VideoReadError
from mmbt.datasets.video_files import StemIndex, frame_names, is_frame_folder, without_suffix


def write_frames(folder, frames, name='img_{:05d}.png'):
    """Write frames (BGR) as numbered images, from 1."""
    folder.mkdir(parents=True)
    for index, frame in enumerate(frames, start=1):
        cv2.imwrite(str(folder / name.format(index)), frame)
    return folder


@pytest.fixture
def noise():
    """12 frames of 48 x 64 noise, BGR."""
    return np.random.default_rng(0).integers(0, 256, (12, 48, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize('arguments', [
    dict(num_frames=4, test_mode=True), dict(num_frames=20, test_mode=True), dict(num_frames=5),
    dict(num_frames=4, test_mode=True, cache=True)])
def test_the_same_as_a_lossless_video(noise, tmp_path, arguments):
    writer = cv2.VideoWriter(str(tmp_path / 'a.avi'), cv2.VideoWriter_fourcc(*'FFV1'), 10, (64, 48))
    for frame in noise:
        writer.write(frame)
    writer.release()
    folder = write_frames(tmp_path / 'frames', noise)
    found = []
    for path in (tmp_path / 'a.avi', folder):
        np.random.seed(3)
        found.append(ReadFrames(**arguments)(dict(filename=str(path))))
    video, frames = found
    assert frames['frame_inds'].tolist() == video['frame_inds'].tolist()
    assert np.array_equal(frames['imgs'], video['imgs'])
    assert np.array_equal(frames['imgs'][0], noise[frames['frame_inds'][0]][..., ::-1])
    for key in ('total_frames', 'img_shape', 'original_shape', 'clip_len', 'num_clips', 'modality'):
        assert frames[key] == video[key]
    assert set(frames) | {'video_reader', 'avg_fps'} == set(video) | {'video_reader', 'avg_fps'}


def test_the_annotation_may_name_a_file(noise, tmp_path):
    write_frames(tmp_path / 'video7020', noise)
    results = ReadFrames(2, test_mode=True)(dict(filename=str(tmp_path / 'video7020.mp4')))
    assert results['total_frames'] == 12


def test_frames_are_in_the_order_of_their_numbers():
    names = ['f10.jpg', 'f9.jpg', 'flow_x_00001.jpg', '.f1.jpg', 'notes.txt', 'f1.PNG']
    assert frame_names(names) == ['f1.PNG', 'f9.jpg', 'f10.jpg']
    assert is_frame_folder(names) and not is_frame_folder([*names, 'clip.mp4'])
    assert not is_frame_folder(['notes.txt'])


def test_a_suffix_is_a_videos(tmp_path):
    assert without_suffix('a/1@N02_5.mov') == 'a/1@N02_5'
    assert without_suffix('1004_Movie_00.00.51.926-00.00.54.129') == (
        '1004_Movie_00.00.51.926-00.00.54.129')


def damaged(folder, kind, noise):
    """Write a broken folder; return what the error must name."""
    write_frames(folder, noise[:3])
    if kind == 'empty':
        for path in folder.iterdir():
            path.unlink()
        return f'{folder} holds no images'
    if kind == 'cut':
        (folder / 'img_00002.png').write_bytes(b'\x89PNG\r\n\x1a\n and then nothing')
    elif kind == 'no bytes':
        (folder / 'img_00002.png').write_bytes(b'')
    else:
        cv2.imwrite(str(folder / 'img_00002.png'), noise[0][:20])
        return f"{folder / 'img_00002.png'} is 64 x 20 but img_00001.png is 64 x 48"
    return f"{folder / 'img_00002.png'} cannot be decoded"


@pytest.mark.parametrize('kind', ['empty', 'cut', 'no bytes', 'sizes'])
def test_broken_folders_are_named(noise, tmp_path, kind):
    message = damaged(tmp_path / 'clip', kind, noise)
    with pytest.raises(VideoReadError) as error:
        ReadFrames(3, test_mode=True)(dict(filename=str(tmp_path / 'clip')))
    assert message in str(error.value) and '\n' not in str(error.value)


def test_frames_share_the_limit_of_pixels(noise, tmp_path):
    """Two frames of 64 x 48 have 6,144 pixels."""
    filename = str(write_frames(tmp_path / 'clip', noise))
    ReadFrames(2, test_mode=True, max_pixels=6144)(dict(filename=filename))
    with pytest.raises(VideoReadError, match='img_00003.png is too large'):
        ReadFrames(2, test_mode=True, max_pixels=6143)(dict(filename=filename))


def test_stems_are_found_as_files_and_folders(noise, make_video, tmp_path):
    make_video(tmp_path / 'a' / 'one.mp4')
    write_frames(tmp_path / 'b' / 'movie_00.54.129', noise[:1])
    (tmp_path / 'still.png').write_bytes(b'x')
    index = StemIndex(str(tmp_path))
    assert index.find('one.avi') == str(tmp_path / 'a' / 'one.mp4')
    assert index.find('movie/movie_00.54.129.avi') == str(tmp_path / 'b' / 'movie_00.54.129')
    assert index.find('still') == str(tmp_path / 'still')  # a picture is no video
    assert index.find('img_00001') == str(tmp_path / 'img_00001')  # a frame is no clip
    make_video(tmp_path / 'movie_00.54.129.mp4')
    with pytest.raises(ValueError, match='could be .*: keep one'):
        StemIndex(str(tmp_path)).find('movie_00.54.129')


@pytest.mark.parametrize('suffix', ['webp', 'png', 'gif'])
def test_pictures_that_move_are_videos(tmp_path, suffix):
    """Three frames of grey 0, 100 and 200; a picture that stands still is shown again and again."""
    pictures = [Image.new('L', (32, 24), grey).convert('RGB') for grey in (0, 100, 200)]
    first, *others = pictures
    path = str(tmp_path / f'a.{suffix}')
    first.save(path, save_all=True, append_images=others, duration=100, lossless=True)
    found = ReadFrames(3, test_mode=True, by='time')(dict(filename=path))
    assert found['total_frames'] == 3 and found['frame_inds'].tolist() == [0, 1, 2]
    np.testing.assert_allclose([img.mean() for img in found['imgs']], [0, 100, 200], atol=3)
    pictures[1].save(path)
    found = ReadFrames(3, test_mode=True)(dict(filename=path))
    assert found['total_frames'] == 1 and len(found['imgs']) == 3
    np.testing.assert_allclose([img.mean() for img in found['imgs']], 100, atol=3)
