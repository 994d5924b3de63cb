import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Serves /www/body over HTTP as Java programs do: Serve MODE PORT. */
public final class Serve {
    static final Path BODY = Path.of("/www/body");

    private Serve() {}

    static ByteBuffer header(long length) {
        String text = "HTTP/1.1 200 OK\r\nContent-Length: " + length + "\r\nConnection: close\r\n\r\n";
        return ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
    }

    /** What FileChannel.transferTo makes of a SocketChannel: sendfile. */
    static void transfer(FileChannel file, SocketChannel socket) throws IOException {
        for (long at = 0; at < file.size(); ) {
            at += file.transferTo(at, file.size() - at, socket);
        }
    }

    /** The same bytes through the program's memory. */
    static void copy(FileChannel file, SocketChannel socket) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocateDirect(65536);
        while (file.read(buffer) >= 0) {
            for (buffer.flip(); buffer.hasRemaining(); ) {
                socket.write(buffer);
            }
            buffer.clear();
        }
    }

    public static void main(String[] words) throws Exception {
        int port = Integer.parseInt(words[1]);
        if (words[0].startsWith("netty")) {
            Netty.serve(words[0].equals("netty-tls"), port);
            return;
        }
        try (ServerSocketChannel listener = ServerSocketChannel.open()) {
            listener.bind(new InetSocketAddress(port));
            while (true) {
                try (SocketChannel socket = listener.accept(); FileChannel file = FileChannel.open(BODY)) {
                    socket.read(ByteBuffer.allocate(4096));
                    for (ByteBuffer header = header(file.size()); header.hasRemaining(); ) {
                        socket.write(header);
                    }
                    if (words[0].equals("transfer")) {
                        transfer(file, socket);
                    } else {
                        copy(file, socket);
                    }
                }
            }
        }
    }
}
