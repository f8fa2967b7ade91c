"""Tutorial A, variant 1: the text goes into SQLite by a hand-built statement. Arguments: port, database."""
import socket
import sqlite3
import sys
import threading

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(5)
print("port", listener.getsockname()[1], flush=True)


def serve(connection):
    text = connection.recv(1024).decode("utf-8")
    database = sqlite3.connect(sys.argv[2])
    database.execute("CREATE TABLE IF NOT EXISTS logs (data TEXT)")
    database.execute("INSERT INTO logs (data) VALUES ('" + text + "')")
    database.commit()
    database.close()
    connection.sendall("データ送信とDB保存完了".encode("utf-8"))
    connection.close()


while True:
    accepted, _ = listener.accept()
    threading.Thread(target=serve, args=(accepted,), daemon=True).start()
